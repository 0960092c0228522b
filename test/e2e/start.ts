import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium, type Tab } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { type Join, joinOnce } from '../support/join.ts';
import { numberedBars, sendRtp } from '../support/picture.ts';
import { startServer } from '../support/server.ts';

const test = suite('instant start');
const size = { width: 640, height: 360 };
const joins = 4;
let browser: Chromium;

test.before(async () => {
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
});

/** Joins at random moments of a GOP, none so late that the next IDR picture could help. */
async function watch(instantStart: boolean, gop: number): Promise<Join[]> {
  const folder = mkdtempSync(join(tmpdir(), 'start-'));
  const config = join(folder, 'config.json');
  writeFileSync(config, JSON.stringify({ streams: { cam1: 'rtp:0,0' }, instantStart }));
  const server = await startServer('node', ['--config', config]);
  const fixed = ['-g', `${gop}`, '-keyint_min', `${gop}`, '-sc_threshold', '0'];
  const ffmpeg = sendRtp(server.announcement.streams.cam1 ?? {}, numberedBars(size), fixed);
  try {
    await server.live();
    const tab = await browser.watch(`${server.url}/play/cam1`);
    await tab.frames(30);
    const done: Join[] = [];
    while (done.length < joins) {
      await inMidGop(tab, gop);
      done.push(await joinOnce(tab.page, size));
    }
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
    return done;
  } finally {
    ffmpeg.kill('SIGKILL');
    server.child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}

async function inMidGop(tab: Tab, gop: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 1000));
  await eventually(
    'the middle of a GOP',
    async () => {
      const number = await tab.frameNumber();
      return number !== undefined && number % gop > gop * 0.05 && number % gop < gop * 0.6;
    },
    20_000,
  );
}

test('with a GOP of 10 s the first picture is of the GOP under way, and nothing is lost or stands still', async () => {
  const gop = 300;
  const done = await watch(true, gop);
  for (const each of done) {
    const next = (Math.floor(each.posted / gop) + 1) * gop;
    const what = JSON.stringify(each);
    assert.ok(each.first < next && each.firstReference < next, `the next IDR picture was not needed: ${what}`);
    assert.is(each.keyframes, 1, what);
    assert.is(each.keyframeRequests, 0, what);
  }
  // A starved machine may lose or delay something now and then; a fault of ours would do so each time.
  const calm = done.filter(({ freezes, lost }) => freezes === 0 && lost === 0);
  assert.ok(calm.length > joins / 2, JSON.stringify(done));
});

test('without the cache the next IDR picture is the first', async () => {
  const gop = 90;
  for (const each of await watch(false, gop)) {
    const next = (Math.floor(each.posted / gop) + 1) * gop;
    assert.ok(each.first >= next, JSON.stringify(each));
  }
});

test.run();

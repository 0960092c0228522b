import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium, type Tab } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { FLASH_AND_BEEP, lipSync } from '../support/lip-sync.ts';
import { descendants } from '../support/process.ts';
import { withServer } from '../support/server.ts';

const test = suite('picture and sound in step');
/** Milliseconds. */
const bound = 60;
let browser: Chromium;

test.before(async () => {
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
});

async function inStep(tab: Tab): Promise<void> {
  // A starved machine shows pictures late: what counts is that they get into step and stay there.
  await eventually(
    'picture and sound in step',
    async () => {
      const late = await lipSync(tab, 6);
      if (Math.abs(late) > bound) console.log(`the beep is ${late.toFixed(0)} ms later than the flash`);
      return Math.abs(late) <= bound;
    },
    30_000,
  );
}

test('flash and beep of the clip, three seconds after the start', async () => {
  await withServer('node', [], async (server) => {
    const tab = await browser.watch(`${server.url}/play/demo`);
    await tab.unmute();
    await tab.frames(90);
    await inStep(tab);
    await tab.page.close();
  });
});

test('and those of an FFmpeg, before and after it is killed', async () => {
  await withServer('node', ['--stream', `cam1=ffmpeg:lavfi:${FLASH_AND_BEEP}`], async (server) => {
    await server.live();
    const tab = await browser.watch(`${server.url}/play/cam1`);
    await tab.unmute();
    await tab.frames(90);
    await inStep(tab);
    const killed = descendants(server.child.pid).find(({ command }) => command[0] === 'ffmpeg')?.pid;
    assert.ok(killed !== undefined);
    const { framesDecoded } = await tab.media();
    process.kill(killed, 'SIGKILL');
    await tab.frames(framesDecoded + 90);
    await inStep(tab);
    assert.is(tab.sessions.length, 1);
    await tab.page.close();
  });
});

test.run();

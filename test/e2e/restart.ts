import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium, type Tab } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { numberedBars, sendRtp } from '../support/picture.ts';
import { descendants } from '../support/process.ts';
import { type RunningServer, withServer } from '../support/server.ts';

const test = suite('an FFmpeg that ends and comes back');
let browser: Chromium;

test.before(async () => {
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
});

/** The FFmpeg that the server runs; not the shell that guards it. */
function ffmpegOf(server: RunningServer): number | undefined {
  return descendants(server.child.pid).find(({ command }) => command[0] === 'ffmpeg')?.pid;
}

/** The session is the one it was, and nobody had to start it again. */
async function sameSession(server: RunningServer, tab: Tab): Promise<void> {
  assert.is(tab.sessions.length, 1);
  assert.is((await server.stats()).active_peers, 1);
  assert.equal(tab.console, []);
}

test('a killed FFmpeg is started again, and its first GOP is on the screen', async () => {
  await withServer('node', ['--stream', `cam1=ffmpeg:lavfi:${numberedBars()}`], async (server) => {
    await server.live();
    const tab = await browser.watch(`${server.url}/play/cam1`);
    // Twice: the second end is of an FFmpeg that had itself taken over.
    for (const _ of [1, 2]) {
      const before = await eventually('some pictures', async () => {
        const number = await tab.frameNumber();
        return number !== undefined && number > 75 ? number : undefined;
      });
      const killed = ffmpegOf(server);
      assert.ok(killed !== undefined);
      process.kill(killed, 'SIGKILL');
      // Its numbers begin anew, and an IDR picture comes every 60: a smaller number was shown within 2 s of the first.
      const first = await eventually('a picture of the next FFmpeg', async () => {
        const number = await tab.frameNumber();
        return number !== undefined && number < before ? number : undefined;
      });
      assert.ok(first < 60, `picture ${first} is of a later GOP`);
      await eventually('a picture that moves', async () => ((await tab.frameNumber()) ?? 0) > first + 10);
      assert.is.not(ffmpegOf(server), killed);
      await sameSession(server, tab);
    }
    await tab.page.close();
  });
});

test('another FFmpeg with pictures of another size takes over from one that was killed', async () => {
  await withServer('node', ['--stream', 'cam1=rtp:0,0'], async (server) => {
    const ports = server.announcement.streams.cam1 ?? {};
    const ffmpegs = [sendRtp(ports)];
    try {
      await server.live();
      const tab = await browser.watch(`${server.url}/play/cam1`);
      await tab.frames(60);
      for (const width of [320, 640]) {
        ffmpegs[0]?.kill('SIGKILL');
        ffmpegs.unshift(sendRtp(ports, numberedBars({ width, height: (width / 16) * 9 })));
        const shown = () => tab.page.locator('video').evaluate((video) => (video as HTMLVideoElement).videoWidth);
        await eventually(`a picture ${width} wide`, async () => (await shown()) === width, 20_000);
        const settled = (await tab.media()).framesDecoded;
        const { audioEnergy } = await tab.media();
        await tab.frames(settled + 60);
        await tab.page.locator('video').evaluate((video) => {
          (video as HTMLVideoElement).muted = false;
        });
        await eventually('sound', async () => (await tab.media()).audioEnergy > audioEnergy);
        await sameSession(server, tab);
      }
      await tab.page.close();
    } finally {
      for (const each of ffmpegs) each.kill('SIGKILL');
    }
  });
});

test.run();

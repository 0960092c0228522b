import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium, type Tab } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { BARS, sendRtp } from '../support/picture.ts';
import { ENGINES, RUNTIMES } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

const test = suite('playing in Chromium');
let browser: Chromium;

test.before(async () => {
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
});

async function showsNumberedBars(tab: Tab): Promise<void> {
  const first = await eventually('a frame number', () => tab.frameNumber());
  await eventually('a later frame', async () => ((await tab.frameNumber()) ?? 0) > first);
  const colours = await tab.colours(BARS.map((_, index) => [(index + 0.5) / BARS.length, 0.3]));
  BARS.forEach((bar, index) => {
    const off = bar.map((value, channel) => Math.abs(value - (colours[index]?.[channel] ?? 0)));
    assert.ok(Math.max(...off) < 40, `bar ${index} is ${colours[index]}, not ${bar}`);
  });
}

for (const [engine, runtime] of ENGINES.flatMap((each) => RUNTIMES.map((runtime) => [each, runtime] as const))) {
  test(`${runtime}, ${engine}: two tabs play what FFmpeg sends, and DELETE stops it`, async () => {
    const server = await startServer(runtime, ['--engine', engine, '--stream', 'cam1=rtp:0,0']);
    const ports = server.announcement.streams.cam1;
    const ffmpeg = sendRtp(ports ?? {});
    try {
      assert.is(server.announcement.runtime, runtime);
      assert.is(server.announcement.engine, engine);
      await server.live();
      const tabs = await Promise.all([1, 2].map(() => browser.watch(`${server.url}/play/cam1`)));
      await server.viewers(2);
      for (const tab of tabs) {
        assert.is((await tab.smoothFrames(100)).audioChannels, 2);
        await tab.unmute();
        await eventually('sound', async () => (await tab.media()).audioEnergy > 0);
        await showsNumberedBars(tab);
        assert.match((await tab.media()).srtpCipher, engine === 'native' ? /AEAD_AES_128_GCM$/ : /AEAD_AES_\d+_GCM$/);
        assert.equal(tab.console, []);
        assert.is(await tab.status(), '');
      }

      const [leaving, staying] = tabs;
      if (leaving === undefined || staying === undefined) throw new Error('two tabs were asked for');
      const [session] = leaving.sessions;
      if (session === undefined) throw new Error('the page opened no session');
      // The page would start another session; what is asked here is what the server does.
      await leaving.page.route('**/whep/**', (route) => route.abort());
      assert.is((await fetch(session, { method: 'DELETE' })).status, 204);
      await server.viewers(1);
      const settled = (await staying.media()).framesDecoded + 10;
      await staying.frames(settled);
      const { bytesReceived } = await leaving.media();
      await staying.frames(settled + 30);
      assert.is((await leaving.media()).bytesReceived, bytesReceived);

      await staying.page.close();
      await server.viewers(0);
      assert.equal(await server.stop(), { code: 0, signal: null });
    } finally {
      ffmpeg.kill('SIGKILL');
      server.child.kill('SIGKILL');
    }
  });
}

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { browserFor, type Tab } from '../support/chromium.ts';
import { eventually, settled } from '../support/eventually.ts';
import { Publisher } from '../support/publisher.ts';
import { RUNTIMES } from '../support/runtimes.ts';
import { startConfigured, withServer } from '../support/server.ts';

const test = suite('codecs that Chromium publishes');
const browser = browserFor(test);
const SMALL = { width: 320, height: 180 };

/** What is offered, by the codec that is taken of it. Of all that Chromium has, VP8 first, H264 is. */
const OFFERS = { H264: undefined, VP8: 'VP8', VP9: 'VP9', AV1: 'AV1' };

/** Whether for two seconds a viewer gets each frame that a publisher encodes, and decodes it. */
async function getsEveryFrame(tab: Tab, publisher: Publisher): Promise<boolean> {
  const received = () => settled(async () => (await tab.media()).framesReceived);
  const before = { encoded: await publisher.hold(), received: await received(), media: await tab.media() };
  await publisher.resume();
  await tab.frames(before.media.framesDecoded + 45);
  const encoded = (await publisher.hold()) - before.encoded;
  const got = (await received()) - before.received;
  const { framesDecoded } = await tab.media();
  await publisher.resume();
  return got === encoded && framesDecoded - before.media.framesDecoded === encoded;
}

for (const runtime of RUNTIMES) {
  test(`${runtime}: what is published in each codec is watched whole`, () => {
    const streams = Object.keys(OFFERS).flatMap((name) => ['--stream', `${name}=whip`]);
    return withServer(runtime, streams, async (server) => {
      await Promise.all(
        Object.entries(OFFERS).map(async ([name, codec]) => {
          const publisher = await Publisher.start(browser, server.url, name, { ...SMALL, codec });
          const live = async () => (await server.stats()).streams[name]?.video?.active;
          await eventually('a picture', live);
          const tab = await browser.watch(`${server.url}/play/${name}`);
          assert.is((await tab.frames(20)).videoCodec, `video/${name}`);
          assert.is((await server.stats()).streams[name]?.video?.codec, name.toLowerCase());
          await eventually('every frame', () => getsEveryFrame(tab, publisher), 60_000);
          assert.is(await publisher.leave(), 200);
          await tab.page.close();
        }),
      );
    });
  });
}

test('viewers whose publisher changes its codec are ended, and our player comes back for the new one', async () => {
  const server = await startConfigured('node', { streams: { cam1: { whip: { takeover: true } } } });
  const ended = async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    return Number(/^whep_sessions_ended_total\{reason="codec-changed"\} (\d+)$/m.exec(metrics)?.[1]);
  };
  try {
    const start = (codec?: string) => Publisher.start(browser, server.url, 'cam1', { ...SMALL, codec });
    const first = await start();
    await server.live();
    const tab = await browser.watch(`${server.url}/play/cam1`);
    assert.is((await tab.frames(20)).videoCodec, 'video/H264');

    const second = await start('VP8');
    await eventually('another session', () => tab.sessions.length === 2);
    assert.is((await tab.frames(20)).videoCodec, 'video/VP8');
    assert.is(await ended(), 1);

    assert.is(await second.leave(), 200);
    const third = await start('VP9');
    await eventually('a third session', () => tab.sessions.length === 3, 20_000);
    assert.is((await tab.frames(20)).videoCodec, 'video/VP9');
    assert.is(await ended(), 2);
    await first.vanish();
    await third.leave();
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
});

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium, type Tab } from '../support/chromium.ts';
import { PUBLISH, SDP } from '../support/contract/client.ts';
import { eventually } from '../support/eventually.ts';
import { glassToGlass, median, Publisher } from '../support/publisher.ts';
import { RUNTIMES } from '../support/runtimes.ts';
import { startConfigured, startServer } from '../support/server.ts';

const test = suite('publishing from Chromium');
let browser: Chromium;

test.before(async () => {
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
});

/** Waits until the pictures have moved on by a while. */
async function movesOn(tab: Tab): Promise<void> {
  const before = await eventually('a picture', () => tab.frameNumber());
  await eventually('later pictures', async () => {
    const passed = ((await tab.frameNumber()) ?? before) - before;
    const milliseconds = (passed + 65_536) % 65_536;
    return milliseconds > 200 && milliseconds < 32_768;
  });
}

for (const runtime of RUNTIMES) {
  test(`${runtime}: what one browser publishes another plays, from publisher to publisher`, async () => {
    const server = await startServer(runtime, ['--stream', 'cam1=whip']);
    try {
      const first = await Publisher.start(browser, server.url, 'cam1');
      await server.live();
      assert.is((await server.stats()).active_publishers, 1);
      const tab = await browser.watch(`${server.url}/play/cam1`);
      await tab.frames(60);
      await tab.unmute();
      await eventually('sound', async () => (await tab.media()).audioEnergy > 0);
      const latency = median(await glassToGlass(tab, 60));
      assert.ok(latency < 2_000, `${latency} ms`);

      assert.is(await first.leave(), 200);
      await eventually('a stream without a publisher', async () => {
        const { active_publishers, active_streams } = await server.stats();
        return active_publishers === 0 && active_streams === 0;
      });
      const { framesDecoded } = await tab.media();
      const second = await Publisher.start(browser, server.url, 'cam1');
      await tab.frames(framesDecoded + 30);
      await movesOn(tab);
      assert.is(tab.sessions.length, 1, 'the viewer has stayed');
      await second.vanish();
      await tab.page.close();
      assert.equal(await server.stop(), { code: 0, signal: null });
    } finally {
      server.child.kill('SIGKILL');
    }
  });
}

test('Chromium publishes at full quality within seconds, and is asked for keyframes no more than needed', async () => {
  const server = await startServer('node', ['--stream', 'cam1=whip']);
  try {
    const publisher = await Publisher.start(browser, server.url, 'cam1');
    // Chromium begins with 300 kbit/s.
    await eventually('a bitrate that does not limit the picture', async () => {
      const { available, limitation, width } = await publisher.stats();
      return available > 3_000_000 && limitation !== 'bandwidth' && width === 640;
    });
    const before = await publisher.stats();
    const tabs = await Promise.all([1, 2, 3].map(() => browser.watch(`${server.url}/play/cam1`)));
    await Promise.all(tabs.map((tab) => tab.frames(30)));
    const after = await publisher.stats();
    assert.ok(after.pliCount - before.pliCount <= 1, `${after.pliCount - before.pliCount} PLI for three viewers`);
    await publisher.leave();
    for (const tab of tabs) await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
});

for (const shape of ['unannounced', 'simulcast'] as const) {
  test(`Chromium whose offer is ${shape} is seen and heard, and without a complaint`, async () => {
    const server = await startServer('node', ['--stream', 'cam1=whip']);
    try {
      const publisher = await Publisher.start(browser, server.url, 'cam1', { shape });
      await eventually('both legs', async () => {
        const { video, audio } = (await server.stats()).streams.cam1 ?? {};
        return video?.active && audio?.active;
      });
      const tab = await browser.watch(`${server.url}/play/cam1`);
      await tab.frames(30);
      await tab.unmute();
      await eventually('sound', async () => (await tab.media()).audioEnergy > 0);
      await movesOn(tab);
      assert.equal((await server.stats()).streams.cam1?.warnings, []);
      await publisher.leave();
      await tab.page.close();
      assert.equal(await server.stop(), { code: 0, signal: null });
    } finally {
      server.child.kill('SIGKILL');
    }
  });
}

test('a second publisher is refused, or takes over where the stream allows it', async () => {
  const server = await startConfigured('node', { streams: { one: 'whip', over: { whip: { takeover: true } } } });
  try {
    const start = (stream: string) => Publisher.start(browser, server.url, stream);
    const first = await start('one');
    const refused = await start('one').then(
      () => 'it was let in',
      (error: Error) => error.message,
    );
    assert.match(refused, /409 webrtc: somebody else publishes this stream/);
    const before = await start('over');
    await server.live(2);
    const tab = await browser.watch(`${server.url}/play/over`);
    await tab.frames(10);
    // One that has its answer and never connects takes nothing from the first, who is still told what viewers lack.
    const vain = await fetch(`${server.url}/whip/over`, { method: 'POST', headers: SDP, body: PUBLISH });
    assert.is(vain.status, 201, await vain.text());
    await tab.frames((await tab.media()).framesDecoded + 30);
    const late = await browser.watch(`${server.url}/play/over`);
    await late.frames(10);
    await late.page.close();
    assert.is((await before.stats()).state, 'connected');

    const after = await start('over');
    await eventually('the end of the first', async () =>
      /failed|closed|disconnected/.test((await before.stats()).state),
    );
    await tab.frames((await tab.media()).framesDecoded + 30);
    await movesOn(tab);
    assert.is(tab.sessions.length, 1);
    assert.is((await server.stats()).active_publishers, 2);
    assert.equal([await first.leave(), await after.leave()], [200, 200]);
    await before.vanish();
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
});

test.run();

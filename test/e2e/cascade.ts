import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CaptureSender } from '../support/capture-sender.ts';
import { CaptureViewer, withSender } from '../support/capture-viewer.ts';
import { Chromium } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { RUNTIMES } from '../support/runtimes.ts';
import { startServer, withServer } from '../support/server.ts';

const test = suite('a cascade');
let browser: Chromium;

test.before(async () => {
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
});

for (const runtime of RUNTIMES) {
  test(`${runtime}: an edge keeps its viewers while its origin is killed and started again`, async () => {
    let origin = await startServer('node', ['--stream', 'cam1=clip']);
    const { port } = new URL(origin.url);
    const edge = await startServer(runtime, ['--stream', `cam1=whep:${origin.url}/whep/cam1`]);
    try {
      await edge.live();
      await eventually('the state playing', async () => (await pullOf(edge.url)).state === 'playing');
      const tab = await browser.watch(`${edge.url}/play/cam1`);
      assert.is((await tab.frames(60)).audioChannels, 2);
      let posts = 0;
      tab.page.on('request', (request) => {
        if (request.method() === 'POST') posts++;
      });
      const shown = await eventually('a frame number', () => tab.frameNumber());
      await eventually('another one', async () => ![undefined, shown].includes(await tab.frameNumber()));

      origin.child.kill('SIGKILL');
      await origin.child.ended;
      await eventually('the end of the pull', async () => (await pullOf(edge.url)).state !== 'playing');
      const { framesDecoded } = await tab.media();
      origin = await startServer('node', ['--port', port, '--stream', 'cam1=clip']);
      await tab.frames(framesDecoded + 60);
      await eventually('a frame number again', () => tab.frameNumber());
      assert.is(tab.sessions.length, 1);
      assert.is(posts, 0);
      assert.is((await tab.media()).state, 'connected');
      assert.ok((await pullOf(edge.url)).restarts > 0);

      assert.equal(await edge.stop(), { code: 0, signal: null });
      // It has told its origin.
      await origin.viewers(0, 3_000);
      await tab.page.close();
    } finally {
      origin.child.kill('SIGKILL');
      edge.child.kill('SIGKILL');
    }
  });
}

test('a removed stream leaves its origin', async () => {
  const origin = await startServer('node', ['--stream', 'cam1=clip']);
  const edge = await startServer('node', [
    '--admin-token',
    'admin',
    '--open',
    'watch',
    '--open',
    'observe',
    '--stream',
    `cam1=whep:${origin.url}/whep/cam1`,
  ]);
  try {
    await edge.live();
    await origin.viewers(1);
    const headers = { Authorization: 'Bearer admin' };
    assert.is((await fetch(`${edge.url}/api/streams/cam1`, { method: 'DELETE', headers })).status, 204);
    await origin.viewers(0, 3_000);
    assert.equal(await edge.stop(), { code: 0, signal: null });
  } finally {
    origin.child.kill('SIGKILL');
    edge.child.kill('SIGKILL');
  }
});

test('an edge passes on every frame of VP8, VP9 and AV1, and G722', async () => {
  const captures = ['vp8-ffmpeg', 'vp9-ffmpeg', 'av1-ffmpeg-hidden'];
  const streams = captures.flatMap((name) => ['--stream', `${name}=rtp:0/${name.replace(/-.*/, '')},0/g722`]);
  await withServer('node', streams, async (origin) => {
    const { announcement } = origin;
    const pulls = captures.flatMap((name) => ['--stream', `${name}=whep:${origin.url}/whep/${name}`]);
    const speakers = captures.map((name) => new CaptureSender('g722-ffmpeg', announcement.streams[name]?.audio));
    try {
      await withServer('node', pulls, async (edge) => {
        const watch = (capture: string) =>
          withSender(capture, announcement.streams[capture]?.video, async (sender) => {
            const url = `${edge.url}/play/${capture}`;
            const viewer = await CaptureViewer.join(browser, url, sender, 8);
            const media = await viewer.playsEveryFrame();
            const { tab } = viewer;
            assert.is(media.videoCodec.toLowerCase(), `video/${capture.replace(/-.*/, '')}`);
            await tab.unmute();
            await eventually('something to hear', async () => (await tab.media()).audioEnergy > 0);
            assert.is((await tab.media()).audioCodec, 'audio/G722');
            await tab.page.close();
          });
        await Promise.all(captures.map(watch));
      });
    } finally {
      for (const speaker of speakers) speaker.stop();
    }
  });
});

async function pullOf(url: string): Promise<{ state: string; restarts: number }> {
  const { streams } = (await (await fetch(`${url}/webrtc/stats`)).json()) as {
    streams: Record<string, { pull: { state: string; restarts: number } }>;
  };
  const { pull } = streams.cam1 ?? {};
  if (pull === undefined) throw new Error('cam1 is not pulled');
  return pull;
}

test.run();

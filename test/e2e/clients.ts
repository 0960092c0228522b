import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { RUNTIMES } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';
import { bundled, type Site, site } from '../support/site.ts';

/** Pages of strangers, on an origin of their own: each plays what its `endpoint` parameter names. */
const PAGES: Record<string, string> = {
  '@eyevinn/webrtc-player': `
    import { WebRTCPlayer } from '@eyevinn/webrtc-player';
    const player = new WebRTCPlayer({ video: document.querySelector('video'), type: 'whep' });
    await player.load(new URL(new URLSearchParams(location.search).get('endpoint')));
    globalThis.leave = () => player.destroy();`,
  'whip-whep': `
    import { WHEPClient } from 'whip-whep/whep.js';
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    for (const kind of ['audio', 'video']) peer.addTransceiver(kind, { direction: 'recvonly' });
    const media = new MediaStream();
    peer.ontrack = ({ track }) => media.addTrack(track);
    document.querySelector('video').srcObject = media;
    const client = new WHEPClient();
    await client.view(peer, new URLSearchParams(location.search).get('endpoint'));
    globalThis.leave = () => client.stop();`,
};

const test = suite('WHEP clients from npm');
let browser: Chromium;
let pages: Site;

test.before(async () => {
  const files: Record<string, string> = {};
  for (const [client, source] of Object.entries(PAGES)) {
    files[`/${client}`] =
      `<!doctype html><link rel="icon" href="data:,"><video muted autoplay playsinline></video><script type="module">${await bundled(source)}</script>`;
  }
  pages = await site(files);
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
  pages.close();
});

for (const runtime of RUNTIMES) {
  for (const client of Object.keys(PAGES)) {
    test(`${client} plays and leaves, from another origin, on ${runtime}`, async () => {
      const server = await startServer(runtime, ['--stream', 'demo=clip']);
      try {
        await server.live();
        const endpoint = encodeURIComponent(`${server.url}/whep/demo`);
        const tab = await browser.watch(`${pages.origin}/${client}?endpoint=${endpoint}`);
        await tab.frames(50);
        assert.ok((await tab.media()).bytesReceived > 0);
        await eventually('a frame number', () => tab.frameNumber());
        await server.viewers(1);
        await tab.page.evaluate(() => (globalThis as typeof globalThis & { leave: () => unknown }).leave());
        await server.viewers(0);
        await tab.page.close();
        assert.equal(await server.stop(), { code: 0, signal: null });
      } finally {
        server.child.kill('SIGKILL');
      }
    });
  }
}

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium } from '../support/chromium.ts';
import { numberedBars, sendRtp } from '../support/picture.ts';
import { ENGINES } from '../support/runtimes.ts';
import { withServer } from '../support/server.ts';

// What the last resort of the negotiation rests on: a decoder that was told baseline plays Main and High.
const test = suite('a browser that offers baseline alone');
let browser: Chromium;

test.before(async () => {
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
});

/** In the page: as Firefox offers H264. */
function offerBaseline(): void {
  const { addTransceiver } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.addTransceiver = function (this: RTCPeerConnection, kind, init) {
    const transceiver = addTransceiver.call(this, kind, init);
    const codecs = kind === 'video' ? (RTCRtpReceiver.getCapabilities('video')?.codecs ?? []) : [];
    const baseline = codecs.filter(
      ({ mimeType, sdpFmtpLine = '' }) => mimeType === 'video/H264' && /profile-level-id=42/.test(sdpFmtpLine),
    );
    if (kind === 'video') transceiver.setCodecPreferences(baseline);
    return transceiver;
  };
}

for (const [engine, profile] of ENGINES.flatMap((each) =>
  (['main', 'high'] as const).map((one) => [each, one] as const),
)) {
  test(`${engine}: it plays ${profile}, and the statistics say so`, async () => {
    await withServer('node', ['--engine', engine, '--stream', 'cam1=rtp:0,0'], async (server) => {
      const encoding = ['-profile:v', profile, '-g', '60'];
      const ffmpeg = sendRtp(server.announcement.streams.cam1 ?? {}, numberedBars(), encoding);
      try {
        await server.live();
        const tab = await browser.watch(`${server.url}/play/cam1`, {}, async (page) => {
          await page.addInitScript(offerBaseline);
        });
        await tab.smoothFrames(60);
        const { cam1 } = (await server.stats()).streams;
        assert.is(cam1?.video?.profile?.toLowerCase(), profile);
        assert.ok(cam1?.warnings.some((warning) => /a viewer offers .*Baseline/.test(warning)));
        const metrics = await (await fetch(`${server.url}/metrics`)).text();
        assert.match(metrics, 'whep_profile_mismatches_total{stream="cam1"} 1\n');
        await tab.page.close();
      } finally {
        ffmpeg.kill('SIGKILL');
      }
    });
  });
}

test.run();

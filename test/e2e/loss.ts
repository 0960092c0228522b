import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CaptureSender } from '../support/capture-sender.ts';
import type { Tab } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { LossyBrowser, watchFor } from '../support/lossy.ts';
import { numberedBars, sendRtp } from '../support/picture.ts';
import { startServer } from '../support/server.ts';

const test = suite('a line that loses packets, with a round trip of 40 ms');
/** Seconds of one look; `scripts/bench loss` takes a minute. */
const seconds = 15;

/** Plays over a line until a look at it satisfies: a starved machine freezes pictures that no line has harmed. */
async function plays(lossPercent: number, relayed: boolean, leastShare: number): Promise<void> {
  const browser = await LossyBrowser.launch(lossPercent, { relayed });
  const server = await startServer('node', ['--host', browser.address, '--stream', 'cam1=rtp:0,0']);
  const ffmpeg = sendRtp(server.announcement.streams.cam1 ?? {}, numberedBars({ pattern: 'testsrc2' }), [
    '-g',
    '60',
    '-b:v',
    '2M',
  ]);
  try {
    await server.live();
    const tab = await browser.watch(`${server.url}/play/cam1`);
    await tab.frames(90);
    await eventually(
      `${lossPercent} % of loss repaired`,
      async () => {
        const watched = await watchFor(tab, seconds);
        console.log(`${lossPercent} % lost by the ${browser.lossBy}: ${JSON.stringify(watched)}`);
        assert.ok(watched.retransmitted > 0, 'nothing came by RTX');
        const { decodedShare, longestFreeze, keyframeRequests } = watched;
        return decodedShare >= leastShare && keyframeRequests < 3 && (lossPercent > 5 || longestFreeze <= 0.3);
      },
      4 * seconds * 1000,
    );
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    ffmpeg.kill('SIGKILL');
    server.child.kill('SIGKILL');
    await browser.close();
  }
}

test('5 %, lost by the kernel: no long freeze, and nearly every frame is decoded', () => plays(5, false, 0.95));

test('10 %, lost by a relay: most frames are decoded', () => plays(10, true, 0.85));

/** Of each codec beside H264, with hidden frames and without. */
const CAPTURES = ['vp8-ffmpeg', 'vp9-ffmpeg', 'vp9-chromium-l2t3key', 'av1-ffmpeg-hidden', 'av1-chromium-l2t2'];

test('5 %, lost by a relay: nearly every frame of VP8, VP9 and AV1 is decoded', async () => {
  const browser = await LossyBrowser.launch(5, { relayed: true });
  const streams = CAPTURES.flatMap((name) => ['--stream', `${name}=rtp:0/${name.replace(/-.*/, '')}`]);
  const server = await startServer('node', streams);
  const senders = CAPTURES.map((name) => new CaptureSender(name, server.announcement.streams[name]?.video));
  try {
    await server.live(CAPTURES.length);
    await Promise.all(
      senders.map(async (sender, index) => {
        const tab = await browser.watch(`${server.url}/play/${CAPTURES[index]}`);
        await tab.frames(15);
        await eventually(`${CAPTURES[index]} repaired`, () => repaired(tab, sender), 60_000);
        await tab.page.close();
      }),
    );
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    for (const sender of senders) sender.stop();
    server.child.kill('SIGKILL');
    await browser.close();
  }
});

/** Whether a tab decodes 19 of 20 frames for 10 s. */
async function repaired(tab: Tab, sender: CaptureSender): Promise<boolean> {
  const [sent, before] = [sender.frames, await tab.media()];
  await eventually('10 s of frames', () => sender.frames >= sent + 150, 30_000);
  const [all, media] = [sender.frames - sent, await tab.media()];
  assert.ok(media.retransmitted > 0, 'nothing came by RTX');
  return media.framesDecoded - before.framesDecoded >= 0.95 * all;
}

test.run();

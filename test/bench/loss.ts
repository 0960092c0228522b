/**
 * What a viewer in Chromium gets over a line that loses packets, with a round trip of 40 ms.
 *
 *   scripts/bench loss [--codec h264|vp8|vp9|av1] [--runtime node|bun|deno] [--loss 5] [--seconds 60] [--relayed]
 *
 * FFmpeg sends 720p30 at 2 Mbit/s whose pictures tell their number. The kernel loses the packets, in a network namespace of
 * the benchmark's own; `--relayed`, or where that is not allowed, a seeded relay does.
 */
import { parseArgs } from 'node:util';
import { LossyBrowser, watchFor } from '../support/lossy.ts';
import { atTwoMegabits, browserCodec, numberedBars, sendRtp } from '../support/picture.ts';
import type { Runtime } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

const { values } = parseArgs({
  options: {
    codec: { type: 'string', default: 'h264' },
    runtime: { type: 'string', default: 'node' },
    loss: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '60' },
    relayed: { type: 'boolean', default: false },
  },
});

const codec = browserCodec(values.codec);
const browser = await LossyBrowser.launch(Number(values.loss), { relayed: values.relayed });
const source = `cam1=rtp:0/${codec},0`;
const server = await startServer(values.runtime as Runtime, ['--host', browser.address, '--stream', source]);
const picture = numberedBars({ width: 1280, height: 720, pattern: 'testsrc2' });
const ffmpeg = sendRtp(server.announcement.streams.cam1 ?? {}, picture, atTwoMegabits(codec), codec);
try {
  await server.live();
  const tab = await browser.watch(`${server.url}/play/cam1`);
  await tab.frames(90);
  const watched = await watchFor(tab, Number(values.seconds));
  const { runtime, loss } = values;
  console.log(JSON.stringify({ codec, runtime, lossPercent: Number(loss), lossBy: browser.lossBy, ...watched }));
} finally {
  ffmpeg.kill('SIGKILL');
  await server.stop();
  await browser.close();
}

/**
 * What a viewer in Chromium gets over a line that loses packets, with a round trip of 40 ms.
 *
 *   scripts/bench loss [--runtime node|bun|deno] [--loss 5] [--seconds 60] [--relayed]
 *
 * FFmpeg sends 720p30 at 2 Mbit/s whose pictures tell their number. The kernel loses the packets, in a network namespace of
 * the benchmark's own; `--relayed`, or where that is not allowed, a seeded relay does.
 */
import { parseArgs } from 'node:util';
import { LossyBrowser, watchFor } from '../support/lossy.ts';
import { numberedBars, sendRtp } from '../support/picture.ts';
import type { Runtime } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

const { values } = parseArgs({
  options: {
    runtime: { type: 'string', default: 'node' },
    loss: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '60' },
    relayed: { type: 'boolean', default: false },
  },
});

const browser = await LossyBrowser.launch(Number(values.loss), { relayed: values.relayed });
const server = await startServer(values.runtime as Runtime, ['--host', browser.address, '--stream', 'cam1=rtp:0,0']);
const picture = numberedBars({ width: 1280, height: 720, pattern: 'testsrc2' });
const rate = ['-g', '60', '-b:v', '2M', '-maxrate', '2M', '-bufsize', '2M'];
const ffmpeg = sendRtp(server.announcement.streams.cam1 ?? {}, picture, rate);
try {
  await server.live();
  const tab = await browser.watch(`${server.url}/play/cam1`);
  await tab.frames(90);
  const watched = await watchFor(tab, Number(values.seconds));
  console.log(
    JSON.stringify({ runtime: values.runtime, lossPercent: Number(values.loss), lossBy: browser.lossBy, ...watched }),
  );
} finally {
  ffmpeg.kill('SIGKILL');
  await server.stop();
  await browser.close();
}

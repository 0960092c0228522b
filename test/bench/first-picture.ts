/**
 * How long a viewer in Chromium waits: from its POST to the 201, to the first picture, and to the live edge.
 *
 *   scripts/bench first-picture [--codec h264|vp8|vp9|av1] [--runtime node|bun|deno] [--joins 20] [--gop 60] [--no-cache]
 *
 * FFmpeg sends 720p30 at 2 Mbit/s whose pictures tell their number. A player watches all the time; each join, at a random
 * moment, is compared with it picture by picture: at the live edge it is at most 100 ms behind.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Chromium } from '../support/chromium.ts';
import { type Join, joinOnce } from '../support/join.ts';
import { atTwoMegabits, browserCodec, numberedBars, sendRtp } from '../support/picture.ts';
import type { Runtime } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

const { values } = parseArgs({
  options: {
    codec: { type: 'string', default: 'h264' },
    runtime: { type: 'string', default: 'node' },
    joins: { type: 'string', default: '20' },
    gop: { type: 'string', default: '60' },
    'no-cache': { type: 'boolean', default: false },
  },
});

const codec = browserCodec(values.codec);
const size = { width: 1280, height: 720 };
const config = join(tmpdir(), `first-picture-${process.pid}.json`);
writeFileSync(
  config,
  JSON.stringify({
    streams: { cam1: `rtp:0/${codec},0` },
    instantStart: !values['no-cache'],
    maxViewersPerStream: 100,
  }),
);
const server = await startServer(values.runtime as Runtime, ['--config', config]);
const encoding = atTwoMegabits(codec, values.gop);
const ffmpeg = sendRtp(server.announcement.streams.cam1 ?? {}, numberedBars(size), encoding, codec);
const browser = await Chromium.launch();
try {
  await server.live();
  const tab = await browser.watch(`${server.url}/play/cam1`);
  await tab.frames(60);
  const joins: Join[] = [];
  for (let count = 0; count < Number(values.joins); count += 1) {
    await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 2000));
    joins.push(await joinOnce(tab.page, size));
    process.stderr.write('.');
  }
  process.stderr.write('\n');
  const column = (name: keyof Join) => joins.map((each) => each[name]).sort((a, b) => a - b);
  const at = (name: keyof Join, share: number) => {
    const sorted = column(name);
    return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN);
  };
  const times = (name: keyof Join) => ({ median: at(name, 0.5), p95: at(name, 0.95) });
  const total = (name: keyof Join) => column(name).reduce((sum, value) => sum + value, 0);
  console.log(
    JSON.stringify({
      codec,
      runtime: values.runtime,
      gop: Number(values.gop),
      instantStart: !values['no-cache'],
      joins: joins.length,
      milliseconds: { answered: times('answered'), pictured: times('pictured'), live: times('live') },
      freezes: total('freezes'),
      keyframeRequests: total('keyframeRequests'),
      lost: total('lost'),
    }),
  );
} finally {
  ffmpeg.kill('SIGKILL');
  await browser.close();
  await server.stop();
}

/**
 * From the painting of a picture in one tab of Chromium, by WHIP and WHEP, to its presentation in another.
 *
 *   scripts/bench whip-latency [--runtime node|bun|deno] [--pictures 300] [--width 640] [--height 360]
 *
 * Each picture bears the time at which it was painted. Encoder, server and decoder share the machine.
 */
import { parseArgs } from 'node:util';
import { Chromium } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { glassToGlass, median, Publisher } from '../support/publisher.ts';
import type { Runtime } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

const { values } = parseArgs({
  options: {
    runtime: { type: 'string', default: 'node' },
    pictures: { type: 'string', default: '300' },
    width: { type: 'string', default: '640' },
    height: { type: 'string', default: '360' },
  },
});

const server = await startServer(values.runtime as Runtime, ['--stream', 'cam1=whip']);
const browser = await Chromium.launch();
try {
  const size = { width: Number(values.width), height: Number(values.height) };
  const publisher = await Publisher.start(browser, server.url, 'cam1', size);
  const begun = performance.now();
  const full = eventually('full quality', async () => {
    const { limitation, width, available } = await publisher.stats();
    return limitation !== 'bandwidth' && width === size.width && available > 3_000_000;
  });
  const climbed = full.then(() => Math.round(performance.now() - begun));
  await server.live();
  const tab = await browser.watch(`${server.url}/play/cam1`);
  await tab.frames(60);
  await full;
  const before = await publisher.stats();
  const start = performance.now();
  const found = await glassToGlass(tab, Number(values.pictures));
  const seconds = (performance.now() - start) / 1000;
  const after = await publisher.stats();
  const sorted = found.toSorted((a, b) => a - b);
  console.log(
    JSON.stringify({
      runtime: values.runtime,
      size: `${size.width}x${size.height}`,
      pictures: found.length,
      picturesPerSecond: Math.round(found.length / seconds),
      megabitsPerSecond: Math.round(((after.bytesSent - before.bytesSent) * 8) / seconds / 1e4) / 100,
      fullQualityAfter: await climbed,
      milliseconds: {
        median: Math.round(median(found)),
        p95: Math.round(sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN),
        max: Math.round(sorted.at(-1) ?? Number.NaN),
      },
    }),
  );
} finally {
  await browser.close();
  await server.stop();
}

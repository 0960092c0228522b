/**
 * What one hop of a cascade adds: the same stamped stream is watched at an origin and at an edge that pulls from it, at the
 * same time, by viewers of one process.
 *
 *   scripts/bench cascade [--runtime node|bun|deno] [--secs 10] [--viewers 1] [--fps 30]
 */
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { openLoad, PROGRAMME } from '../../src/cli/bench/load.ts';
import { arrive, pause, round, waitFor } from '../../src/cli/bench/measure.ts';
import type { Runtime } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

const { values } = parseArgs({
  options: {
    runtime: { type: 'string', default: 'node' },
    secs: { type: 'string', default: '10' },
    viewers: { type: 'string', default: '1' },
    fps: { type: 'string', default: '30' },
  },
});
const viewers = Number(values.viewers);
// The bundle of this file does not lie beside the addon.
process.env.FETCH_WHEP_ADDON ??= resolve('dist/fetch-whep.node');
/** What joining set in motion has come to rest by then. Milliseconds. */
const settling = 2_000;

const args = ['--log-level', 'error', '--max-viewers-per-stream', 'none'];
const origin = await startServer(values.runtime as Runtime, [...args, '--stream', 'cam1=rtp:0,0']);
const edge = await startServer(values.runtime as Runtime, [...args, '--stream', `cam1=whep:${origin.url}/whep/cam1`]);
const load = openLoad({ programme: { ...PROGRAMME, framesPerSecond: Number(values.fps) } });
try {
  const { video = 0, audio = 0 } = origin.announcement.streams.cam1 ?? {};
  load.send(video, audio);
  await waitFor('the stream at the edge', 30_000, async () => (await edge.stats()).active_streams === 1);
  const places = [origin, edge].map(({ url }, group) => ({ url: `${url}/whep/cam1`, viewers, over: 0, group }));
  for (const place of places) {
    const { connected, failures } = await arrive(load, place);
    if (connected < viewers) throw new Error(`${connected} of ${viewers} viewers got in: ${failures[0] ?? ''}`);
  }
  await pause(settling);
  // A sample has the latencies since the last one.
  for (const { group } of places) load.sample(group);
  await pause(Number(values.secs) * 1000);
  const [direct, relayed] = places.map(({ group }) => load.sample(group));
  if (direct === undefined || relayed === undefined) throw new Error('two samples were taken');
  const latency = ({ latencyP50, latencyP99 }: typeof direct) => ({ p50: round(latencyP50), p99: round(latencyP99) });
  console.log(
    JSON.stringify({
      bench: 'cascade',
      runtime: values.runtime,
      viewers,
      milliseconds: { origin: latency(direct), edge: latency(relayed) },
      addedP50: round(relayed.latencyP50 - direct.latencyP50),
      addedP99: round(relayed.latencyP99 - direct.latencyP99),
      lost: { origin: direct.lost, edge: relayed.lost },
    }),
  );
} finally {
  await load.close();
  await edge.stop();
  await origin.stop();
}

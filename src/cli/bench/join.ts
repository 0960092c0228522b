import { Failure } from '../../index.ts';
import { latencyOf } from './fanout.ts';
import { openLoad } from './load.ts';
import { arrive, pause, profileOf, publish, type Quantiles, quantiles, round, settle } from './measure.ts';
import type { BenchOptions } from './options.ts';
import { usage } from './process.ts';
import type { Column } from './report.ts';
import { openTarget } from './target.ts';

/** One storm. Times are in milliseconds; absent: could not be measured. */
export interface JoinRow {
  bench: 'join';
  /** That join within a second. */
  viewers: number;
  /** That played already. */
  playing: number;
  connected: number;
  /** Of those that joined, with a keyframe. */
  withPicture: number;
  failures: number;
  /** SRTP profiles that were negotiated. */
  profiles: string[];
  post: Quantiles | undefined;
  firstKeyframe: Quantiles | undefined;
  /** What one join costs the server, ICE and DTLS included, sending not. */
  cpuPerJoin: number | undefined;
  /** Of those that played already, before and during the storm, and when all play: more viewers are more to send. */
  latency: { before: Latency; during: Latency; after: Latency };
  /** Packets that those missed during the storm. */
  lost: number;
}

type Latency = ReturnType<typeof latencyOf>;

/** The time in which all ask to join. Milliseconds. */
const STORM = 1_000;
const PLAYING = 0;
const JOINING = 1;

export const COLUMNS: Column<JoinRow>[] = [
  ['joining', (row) => row.viewers],
  ['profile', profileOf],
  ['with picture', (row) => row.withPicture],
  ['POST p50', (row) => row.post?.p50],
  ['p95', (row) => row.post?.p95],
  ['keyframe p50', (row) => row.firstKeyframe?.p50],
  ['p95', (row) => row.firstKeyframe?.p95],
  ['CPU ms/join', (row) => row.cpuPerJoin],
  ['playing', (row) => row.playing],
  ['their latency p99 before', (row) => row.latency.before.p99],
  ['during', (row) => row.latency.during.p99],
  ['after', (row) => row.latency.after.p99],
  ['their loss', (row) => row.lost],
];

/** Viewers play; then `viewers` more come within a second. */
export async function join(viewers: number, options: BenchOptions, say: (text: string) => void): Promise<JoinRow> {
  const target = await openTarget(options);
  const load = openLoad(undefined, options.profile);
  const { url, pid } = target;
  const calmTime = (options.secs ?? 5) * 1000;
  try {
    await publish(load, target, options.fps);
    say(`${options.playing} viewers begin to play`);
    const first = await arrive(load, { url, viewers: options.playing, over: options.playing * 20, group: PLAYING });
    if (first.connected === 0)
      throw new Failure('engine-failed', `no viewer got in: ${first.failures[0] ?? 'none was connected'}`);
    await settle();
    const start = { cpu: usage(pid)?.cpu, packets: load.sample(PLAYING).packets };
    await pause(calmTime);
    const calm = { cpu: usage(pid)?.cpu, sample: load.sample(PLAYING) };

    say(`${viewers} viewers join within a second`);
    const arrived = await arrive(load, { url, viewers, over: STORM, group: JOINING });
    const storm = { cpu: usage(pid)?.cpu, sample: load.sample(PLAYING), joined: load.sample(JOINING) };
    const packets = storm.sample.packets - calm.sample.packets + storm.joined.packets;
    const perPacket = difference(calm.cpu, start.cpu) / (calm.sample.packets - start.packets);
    const joining = difference(storm.cpu, calm.cpu) - packets * perPacket;
    say('all play');
    await settle();
    load.sample(PLAYING);
    await pause(calmTime);
    const after = load.sample(PLAYING);
    return {
      bench: 'join',
      viewers,
      playing: options.playing,
      connected: arrived.connected,
      withPicture: arrived.firstKeyframes.length,
      failures: arrived.failures.length,
      profiles: arrived.profiles,
      post: quantiles(arrived.posts),
      firstKeyframe: quantiles(arrived.firstKeyframes),
      cpuPerJoin: Number.isFinite(joining) ? round(joining / 1000 / viewers) : undefined,
      latency: { before: latencyOf(calm.sample), during: latencyOf(storm.sample), after: latencyOf(after) },
      lost: Math.max(0, storm.sample.lost - calm.sample.lost),
    };
  } finally {
    await load.close();
    await target.stop();
  }
}

/** Not a number when one of them is not known. */
function difference(after: number | undefined, before: number | undefined): number {
  return (after ?? Number.NaN) - (before ?? Number.NaN);
}

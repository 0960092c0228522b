import { Failure } from '../../index.ts';
import { latencyOf } from './fanout.ts';
import { type Load, openLoad } from './load.ts';
import { arrive, pause, profileOf, publish, type Quantiles, quantiles, round, settle } from './measure.ts';
import { type BenchOptions, loadConfig } from './options.ts';
import { usage } from './process.ts';
import type { Column } from './report.ts';
import { openTarget } from './target.ts';

/** One storm. Times are in milliseconds; absent: could not be measured. */
export interface JoinRow {
  bench: 'join';
  /** That join, within a second unless told otherwise. */
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
  /** From the POST to the connection: ICE and DTLS. */
  connection: Quantiles | undefined;
  firstKeyframe: Quantiles | undefined;
  /** What one join costs the server, ICE and DTLS included, sending not. */
  cpuPerJoin: number | undefined;
  /** Of those that played already, before and during the storm, and when all play: more viewers are more to send. */
  latency: { before: Latency; during: Latency; after: Latency };
  /** Packets that those missed during the storm. */
  lost: number;
}

type Latency = ReturnType<typeof latencyOf>;

const PLAYING = 0;
const JOINING = 1;

export const COLUMNS: Column<JoinRow>[] = [
  ['joining', (row) => row.viewers],
  ['profile', profileOf],
  ['with picture', (row) => row.withPicture],
  ['POST p50', (row) => row.post?.p50],
  ['p95', (row) => row.post?.p95],
  ['connected p50', (row) => row.connection?.p50],
  ['p95', (row) => row.connection?.p95],
  ['keyframe p50', (row) => row.firstKeyframe?.p50],
  ['p95', (row) => row.firstKeyframe?.p95],
  ['CPU ms/join', (row) => row.cpuPerJoin],
  ['playing', (row) => row.playing],
  ['their latency p99 before', (row) => row.latency.before.p99],
  ['during', (row) => row.latency.during.p99],
  ['after', (row) => row.latency.after.p99],
  ['their loss', (row) => row.lost],
];

/** Viewers play; then `viewers` more come. */
export async function join(viewers: number, options: BenchOptions, say: (text: string) => void): Promise<JoinRow> {
  const target = await openTarget(options);
  const load = openLoad(loadConfig(options));
  const { url, pid } = target;
  const calmTime = (options.secs ?? 5) * 1000;
  const over = (viewers / (options.rate ?? viewers)) * 1000;
  try {
    await publish(load, target);
    say(`${options.playing} viewers begin to play`);
    const first = await arrive(load, { url, viewers: options.playing, over: options.playing * 20, group: PLAYING });
    if (first.connected === 0)
      throw new Failure('engine-failed', `no viewer got in: ${first.failures[0] ?? 'none was connected'}`);
    await settle();
    const start = look(load, pid);
    await pause(calmTime);
    const calm = look(load, pid);
    say(`${viewers} viewers join within ${over / 1000} s`);
    const arrived = await arrive(load, { url, viewers, over, group: JOINING });
    const storm = look(load, pid);
    say('all play');
    await settle();
    const settled = look(load, pid);
    await pause(calmTime);
    const end = look(load, pid);
    const joining = beyondSending(span(start, calm), span(calm, storm), span(settled, end));
    return {
      bench: 'join',
      viewers,
      playing: options.playing,
      connected: arrived.connected,
      withPicture: arrived.firstKeyframes.length,
      failures: arrived.failures.length,
      profiles: arrived.profiles,
      post: quantiles(arrived.posts),
      connection: quantiles(arrived.connections),
      firstKeyframe: quantiles(arrived.firstKeyframes),
      cpuPerJoin: Number.isFinite(joining) ? round(joining / 1000 / viewers) : undefined,
      latency: { before: latencyOf(calm.playing), during: latencyOf(storm.playing), after: latencyOf(end.playing) },
      lost: Math.max(0, storm.playing.lost - calm.playing.lost),
    };
  } finally {
    await load.close();
    await target.stop();
  }
}

/** The server's CPU and packets so far; latencies since the last look. */
function look(load: Load, pid: number | undefined) {
  const [playing, joining] = [load.sample(PLAYING), load.sample(JOINING)];
  const cpu = usage(pid)?.cpu ?? Number.NaN;
  return { at: performance.now(), cpu, packets: playing.packets + joining.packets, playing };
}

/** What passed between two looks. */
interface Span {
  milliseconds: number;
  /** Microseconds; not a number when it is not known. */
  cpu: number;
  packets: number;
}

function span(from: ReturnType<typeof look>, to: ReturnType<typeof look>): Span {
  return { milliseconds: to.at - from.at, cpu: to.cpu - from.cpu, packets: to.packets - from.packets };
}

/**
 * Microseconds that `during` cost beyond its packets. What those cost, a part for the time and a part for each packet, is told
 * by the two times in which nobody joined.
 */
function beyondSending(before: Span, during: Span, after: Span): number {
  const load = ({ cpu, milliseconds }: Span) => cpu / milliseconds;
  const rate = ({ packets, milliseconds }: Span) => packets / milliseconds;
  const perPacket = (load(after) - load(before)) / (rate(after) - rate(before));
  const sending = load(before) + perPacket * (rate(during) - rate(before));
  return during.cpu - sending * during.milliseconds;
}

import process from 'node:process';
import { Failure } from '../../index.ts';
import { type Floor, floorFor, type Load, openLoad } from './load.ts';
import { arrive, pause, probe, profileOf, publish, type Quantiles, quantiles, rest, round, settle } from './measure.ts';
import type { BenchOptions } from './options.ts';
import { usage } from './process.ts';
import type { Column } from './report.ts';
import { openTarget, type Target } from './target.ts';

/** One measurement. Times without a unit in their name are in milliseconds; absent: could not be measured. */
export interface FanoutRow {
  bench: 'fanout';
  viewers: number;
  connected: number;
  failures: number;
  /** SRTP profiles that were negotiated. */
  profiles: string[];
  packetsPerSecond: { delivered: number; expected: number | undefined };
  /** Missing in the sequence numbers, of all that were sent to the viewers. */
  lossRatio: number;
  reordered: number;
  duplicates: number;
  cpuMicrosPerPacket: number | undefined;
  /** System calls that sent, of our own server. */
  sendCallsPerSecond: number | undefined;
  /** Of its datagrams, those that went past libdatachannel. */
  directRatio: number | undefined;
  /** Of one core. */
  cpuShare: number | undefined;
  /** Microseconds a packet without WebRTC, and how much more the server needs. */
  floorMicrosPerPacket: Floor;
  cpuRatio: { gso: number; sendto: number } | undefined;
  /** From the sender to the viewer, of a picture's or sound's last packet. */
  latency: { p50: number; p99: number; max: number } | undefined;
  post: Quantiles | undefined;
  firstKeyframe: Quantiles | undefined;
  /** Resident at the end, beyond what the server needed for the stream alone. */
  rssBytesPerViewer: number | undefined;
  /** GET /healthz while the viewers play. */
  http: Quantiles | undefined;
  /** Of one core, our own: as a measure of what is left to the server. */
  loadShare: number | undefined;
}

/** Joins a second, so that joining is not what is measured. */
const JOINS_PER_SECOND = 50;

export const COLUMNS: Column<FanoutRow>[] = [
  ['viewers', (row) => row.connected],
  ['profile', profileOf],
  ['packets/s', (row) => row.packetsPerSecond.delivered],
  ['expected', (row) => row.packetsPerSecond.expected],
  ['lost', (row) => `${round(row.lossRatio * 100)} %`],
  ['us/packet', (row) => row.cpuMicrosPerPacket],
  ['x GSO', (row) => row.cpuRatio?.gso],
  ['x sendto', (row) => row.cpuRatio?.sendto],
  ['sends/s', (row) => row.sendCallsPerSecond],
  ['latency p50', (row) => row.latency?.p50],
  ['p99', (row) => row.latency?.p99],
  ['max', (row) => row.latency?.max],
  ['POST p50', (row) => row.post?.p50],
  ['p99', (row) => row.post?.p99],
  ['keyframe p50', (row) => row.firstKeyframe?.p50],
  ['p99', (row) => row.firstKeyframe?.p99],
  ['KB/viewer', (row) => row.rssBytesPerViewer && Math.round(row.rssBytesPerViewer / 1024)],
  ['HTTP p99', (row) => row.http?.p99],
];

/** A server with this many viewers, and the floor for as many. */
export async function fanout(viewers: number, options: BenchOptions, say: (text: string) => void): Promise<FanoutRow> {
  const target = await openTarget(options);
  const load = openLoad(undefined, options.profile);
  try {
    await publish(load, target, options.fps);
    const row = await measure(load, target, viewers, options, say);
    await load.close();
    await target.stop();
    say('the floor');
    const floor = await floorFor(viewers, options.fps);
    return { ...row, ...ratios(row.cpuMicrosPerPacket, floor) };
  } finally {
    await load.close();
    await target.stop();
  }
}

type Measured = Omit<FanoutRow, 'floorMicrosPerPacket' | 'cpuRatio'>;

async function measure(
  load: Load,
  target: Target,
  viewers: number,
  { secs = 15 }: BenchOptions,
  say: (text: string) => void,
): Promise<Measured> {
  say('coming to rest');
  await rest();
  const empty = usage(target.pid);
  say('joining');
  const over = (viewers / JOINS_PER_SECOND) * 1000;
  const arrived = await arrive(load, { url: target.url, viewers, over, group: 0 });
  if (arrived.connected === 0)
    throw new Failure('engine-failed', `no viewer got in: ${arrived.failures[0] ?? 'none was connected'}`);
  await settle();
  say(`measuring for ${secs} s`);
  const before = await look(load, target);
  const stopProbe = probe(target.origin);
  await pause(secs * 1000);
  const after = await look(load, target);
  const http = await stopProbe();
  const connected = load.arrivals(0).connected;
  const seconds = (after.at - before.at) / 1000;
  const fed = target.ports !== undefined || target.whip !== undefined;
  const delivered = after.sample.packets - before.sample.packets;
  const lost = Math.max(0, after.sample.lost - before.sample.lost);
  const cpu = after.server && before.server && after.server.cpu - before.server.cpu;
  const own = after.own && before.own && after.own.cpu - before.own.cpu;
  return {
    bench: 'fanout',
    viewers,
    connected,
    failures: arrived.failures.length,
    profiles: arrived.profiles,
    packetsPerSecond: {
      delivered: round(delivered / seconds),
      expected: fed ? round(((after.sent - before.sent) * connected) / seconds) : undefined,
    },
    lossRatio: delivered + lost === 0 ? 0 : round(lost / (delivered + lost)),
    reordered: after.sample.reordered - before.sample.reordered,
    duplicates: after.sample.duplicates - before.sample.duplicates,
    cpuMicrosPerPacket: cpu && round(cpu / delivered),
    ...sending(before.sends, after.sends, seconds),
    cpuShare: cpu && round(cpu / 1e6 / seconds),
    latency: after.sample.stamps === 0 ? undefined : latencyOf(after.sample),
    post: quantiles(arrived.posts),
    firstKeyframe: quantiles(arrived.firstKeyframes),
    rssBytesPerViewer: after.server && empty && Math.round((after.server.rss - empty.rss) / connected),
    http,
    loadShare: own && round(own / 1e6 / seconds),
  };
}

async function look(load: Load, { pid, origin }: Target) {
  const sends = await sendsOf(origin);
  const sample = load.sample(0);
  return { sends, sample, sent: load.sent(), server: usage(pid), own: usage(process.pid), at: performance.now() };
}

/** Undefined for a server that is not ours. */
async function sendsOf(origin: string | undefined) {
  if (origin === undefined) return undefined;
  const metrics = await (await fetch(`${origin}/metrics`)).text();
  const [datagrams = 0, direct = 0, calls = 0] = ['datagrams', 'direct_datagrams', 'calls'].map((name) =>
    Number(new RegExp(`^whep_send_${name}_total (\\d+)$`, 'm').exec(metrics)?.[1]),
  );
  return { datagrams, direct, calls };
}

type Sends = Awaited<ReturnType<typeof sendsOf>>;

function sending(before: Sends, after: Sends, seconds: number): Pick<FanoutRow, 'sendCallsPerSecond' | 'directRatio'> {
  if (before === undefined || after === undefined) return { sendCallsPerSecond: undefined, directRatio: undefined };
  return {
    sendCallsPerSecond: round((after.calls - before.calls) / seconds),
    directRatio: round((after.direct - before.direct) / (after.datagrams - before.datagrams)),
  };
}

export function latencyOf(sample: { latencyP50: number; latencyP99: number; latencyMax: number }) {
  return { p50: round(sample.latencyP50), p99: round(sample.latencyP99), max: round(sample.latencyMax) };
}

function ratios(micros: number | undefined, floor: Floor): Pick<FanoutRow, 'floorMicrosPerPacket' | 'cpuRatio'> {
  return {
    floorMicrosPerPacket: { gso: round(floor.gso), sendto: round(floor.sendto) },
    cpuRatio:
      micros === undefined ? undefined : { gso: round(micros / floor.gso), sendto: round(micros / floor.sendto) },
  };
}

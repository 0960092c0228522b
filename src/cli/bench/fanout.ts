import process from 'node:process';
import { Failure } from '../../index.ts';
import { type Cable, type Count, openCable } from './cable.ts';
import { type Floor, floorFor } from './floor.ts';
import { type Load, type LoadConfig, openLoad } from './load.ts';
import { arrive, pause, probe, profileOf, publish, type Quantiles, quantiles, rest, round, settle } from './measure.ts';
import { type BenchOptions, loadConfig } from './options.ts';
import { usage } from './process.ts';
import type { Column } from './report.ts';
import { ledger, type Sends, sendsOf } from './sends.ts';
import { openTarget, type Target } from './target.ts';

/** One measurement. Times without a unit in their name are in milliseconds; absent: could not be measured. */
export interface FanoutRow {
  bench: 'fanout';
  viewers: number;
  connected: number;
  failures: number;
  /** SRTP profiles that were negotiated, as IANA registers them; the floor has the same one. */
  profiles: string[];
  /** SRTP. `delivered`: to the viewers, or with --sender-only to their end of the cable. */
  packetsPerSecond: { delivered: number; expected: number | undefined };
  /** Of all that were sent to the viewers: missing in the sequence numbers, or with --sender-only on the cable. */
  lossRatio: number;
  /** SRTP and SRTCP with --sender-only, as long as the server ran: what it says, and what came out of the cable. */
  datagrams: { sent: number; arrived: number } | undefined;
  /** Of SRTP out of the cable, with IP headers. */
  bytesPerPacket: number | undefined;
  reordered: number;
  duplicates: number;
  cpuMicrosPerPacket: number | undefined;
  /** What a whole core would send. */
  packetsPerSecondAndCore: number | undefined;
  /** System calls that sent, of our own server. */
  sendCallsPerSecond: number | undefined;
  /** Of its datagrams, those that went past libdatachannel (--direct-send). */
  directRatio: number | undefined;
  /** Of one core. */
  cpuShare: number | undefined;
  /** Without WebRTC, microseconds a packet, and how much more the server needs. Absent: no floor has the profile. */
  floorMicrosPerPacket: { gso: number; sendto: number } | undefined;
  floorBytesPerPacket: number | undefined;
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
  ['packets/s and core', (row) => row.packetsPerSecondAndCore],
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
  const cable = options['sender-only'] ? await openCable() : undefined;
  try {
    const row = await served(viewers, options, cable, say);
    say('the floor');
    const floor = await floorFor(viewers, configOf(options, cable), row.profiles, cable);
    return { ...row, ...compared(row.cpuMicrosPerPacket, floor) };
  } finally {
    cable?.close();
  }
}

type Measured = Omit<FanoutRow, 'floorMicrosPerPacket' | 'floorBytesPerPacket' | 'cpuRatio'>;

function configOf(options: BenchOptions, cable: Cable | undefined): LoadConfig {
  return { ...loadConfig(options), ...(cable && { host: cable.viewers, server: cable.pid }) };
}

/** From the server's start to its end. */
async function served(
  viewers: number,
  options: BenchOptions,
  cable: Cable | undefined,
  say: (text: string) => void,
): Promise<Measured> {
  const target = await openTarget(options, cable);
  const load = openLoad(configOf(options, cable));
  try {
    await publish(load, target);
    const row = await measure(load, target, cable, viewers, options, say);
    // Nothing is sent when everybody has left: then both sides can be compared.
    await load.close();
    const datagrams = cable && (await ledger(target, cable));
    return { ...row, datagrams, lossRatio: datagrams ? round(1 - datagrams.arrived / datagrams.sent) : row.lossRatio };
  } finally {
    await load.close();
    await target.stop();
  }
}

async function measure(
  load: Load,
  target: Target,
  cable: Cable | undefined,
  viewers: number,
  { secs = 15 }: BenchOptions,
  say: (text: string) => void,
): Promise<Omit<Measured, 'datagrams'>> {
  say('coming to rest');
  await rest();
  const empty = usage(target.pid);
  say('joining');
  const over = (viewers / JOINS_PER_SECOND) * 1000;
  const arrived = await arrive(load, { url: target.url, viewers, over, group: 0 });
  if (arrived.connected === 0)
    throw new Failure('engine-failed', `no viewer got in: ${arrived.failures[0] ?? 'none was connected'}`);
  cable?.dropMedia();
  await settle();
  say(`measuring for ${secs} s`);
  const before = await look(load, target, cable);
  const stopProbe = probe(target.origin);
  await pause(secs * 1000);
  const after = await look(load, target, cable);
  const http = await stopProbe();
  const connected = load.arrivals(0).connected;
  const seconds = (after.at - before.at) / 1000;
  const fed = target.ports !== undefined || target.whip !== undefined;
  const media = after.media && before.media && difference(after.media, before.media);
  const delivered = media?.packets ?? after.sample.packets - before.sample.packets;
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
    bytesPerPacket: media && round(media.bytes / media.packets),
    reordered: after.sample.reordered - before.sample.reordered,
    duplicates: after.sample.duplicates - before.sample.duplicates,
    cpuMicrosPerPacket: cpu && round(cpu / delivered),
    packetsPerSecondAndCore: cpu && round((1e6 * delivered) / cpu),
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

async function look(load: Load, { pid, origin }: Target, cable: Cable | undefined) {
  const sends = await sendsOf(origin);
  const media = cable?.arrived().media;
  const [sample, sent, server, own] = [load.sample(0), load.sent(), usage(pid), usage(process.pid)];
  return { sends, media, sample, sent, server, own, at: performance.now() };
}

function difference(after: Count, before: Count): Count {
  return { packets: after.packets - before.packets, bytes: after.bytes - before.bytes };
}

function sending(
  before: Sends | undefined,
  after: Sends | undefined,
  seconds: number,
): Pick<FanoutRow, 'sendCallsPerSecond' | 'directRatio'> {
  if (before === undefined || after === undefined) return { sendCallsPerSecond: undefined, directRatio: undefined };
  return {
    sendCallsPerSecond: round((after.calls - before.calls) / seconds),
    directRatio: round((after.direct - before.direct) / (after.datagrams - before.datagrams)),
  };
}

export function latencyOf(sample: { latencyP50: number; latencyP99: number; latencyMax: number }) {
  return { p50: round(sample.latencyP50), p99: round(sample.latencyP99), max: round(sample.latencyMax) };
}

function compared(micros: number | undefined, floor: Floor | undefined): Omit<FanoutRow, keyof Measured> {
  const { gso, sendto, bytesPerPacket } = floor ?? {};
  return {
    floorMicrosPerPacket: floor && { gso: round(floor.gso), sendto: round(floor.sendto) },
    floorBytesPerPacket: bytesPerPacket && round(bytesPerPacket),
    cpuRatio: micros && gso && sendto ? { gso: round(micros / gso), sendto: round(micros / sendto) } : undefined,
  };
}

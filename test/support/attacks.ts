import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { availableParallelism, getPriority } from 'node:os';
import process from 'node:process';
import type { Load, Sample } from '../../src/cli/bench/load.ts';

/** Every attack: what of the server it strains, in an order from the outside inwards. */
export const ATTACKS = {
  strangers: 'random datagrams from many addresses',
  'wrong-password': 'STUN requests for a live session from 50,000 addresses, without its password',
  'client-hello': 'DTLS ClientHello messages from many addresses',
  'client-hello-after-ice': 'the same from a viewer that has gone through ICE alone',
  'own-socket': 'random datagrams from the socket of a connected viewer',
  'srtp-ssrcs': 'SRTP of a connected viewer, a new SSRC each',
  'srtcp-ssrcs': 'SRTCP, a new SSRC each',
  nack: 'NACK compounds of full size',
  pli: 'PLI without end',
  fir: 'FIR without end',
  'leg-rtp-noise': "random datagrams to a leg's RTP port",
  'leg-rtp-foreign': 'RTP of other streams to it',
  'leg-rtcp-noise': "random datagrams to a leg's RTCP port",
  'leg-rtcp-foreign': 'sender reports of another stream to it',
  'leg-rtcp-goodbye': 'goodbyes of other streams to it',
  joins: 'joins that never go through ICE',
  'joins-and-deletes': 'joins and DELETEs in a loop',
  'slow-requests': 'heads and bodies byte by byte on 2,000 connections',
  listeners: '10,000 readers of event streams',
} as const;

export type AttackName = keyof typeof ATTACKS;

export function attackNames(): AttackName[] {
  return Object.keys(ATTACKS).filter(isAttack);
}

export function isAttack(name: string): name is AttackName {
  return name in ATTACKS;
}

export interface Attack {
  name: AttackName;
  /** The WHEP endpoint. */
  url: string;
  /** The RTP port of a leg. */
  leg: number | undefined;
  milliseconds: number;
  /** Datagrams, requests or bytes after which it ends. */
  most: number;
}

export interface AttackReport {
  sent: number;
  /** That the attacker had, and those of them that the server ended. */
  sessions: number;
  ended: number;
}

/** Whether the attacker is kept on one core. */
export const pinned = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;

/** Above ours: the attacker takes what the others leave. */
const NICENESS = 10;

/**
 * Runs an attack in a process of its own, which has Node, as many files as the system grants, and the second core. In life
 * its processor would not be ours: it goes behind all others.
 */
export async function attack(attack: Attack): Promise<AttackReport> {
  const node = process.execPath.endsWith('node') ? process.execPath : 'node';
  const command = [node, 'test/support/programs/attacker.mjs', JSON.stringify(attack)];
  const core = pinned ? ['taskset', '-c', '1'] : [];
  const nice = ['nice', '-n', String(NICENESS - getPriority())];
  const script = 'ulimit -n "$(ulimit -Hn)"; exec "$@"';
  const child = spawn('sh', ['-c', script, 'sh', ...nice, ...core, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  // What waits for the server may wait longer than the attack lasts.
  const late = setTimeout(() => child.kill('SIGKILL'), attack.milliseconds + 20_000);
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  clearTimeout(late);
  if (code !== 0) throw new Error(`the attacker failed (${code}): ${errors}`);
  return JSON.parse(output) as AttackReport;
}

/** What viewers have got and missed so far. */
export interface Delivery {
  /** Packets of the stream. */
  sent: number;
  /** All viewers together. */
  received: number;
  /** In their sequence numbers. */
  gaps: number;
  /** That their own sockets had no room for. */
  unheard: number;
}

/** Of viewers of this process. */
export function deliveryOf(load: Load, { packets, lost }: Sample): Delivery {
  return { sent: load.sent(), received: packets, gaps: lost, unheard: socketDrops(process.pid) };
}

/** Packets under way at any moment: two pictures, two sounds. */
const UNDER_WAY = 18;

/**
 * Packets of so many viewers that got lost between two looks: without those for which they had no room themselves, but with
 * those that the server has left out without a gap, as when viewers have to wait for a keyframe.
 */
export function lostBetween(before: Delivery, after: Delivery, viewers: number): number {
  const due = (after.sent - before.sent - UNDER_WAY) * viewers - (after.received - before.received);
  return Math.max(0, Math.max(due, after.gaps - before.gaps) - (after.unheard - before.unheard));
}

/** Datagrams that the UDP sockets of a process had no room for: it was too slow to take them. */
export function socketDrops(pid: number): number {
  const own = new Set(readdirSync(`/proc/${pid}/fd`).map((name) => linkOf(`/proc/${pid}/fd/${name}`)));
  return ['udp', 'udp6']
    .flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trim().split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => own.has(`socket:[${fields[9]}]`))
    .reduce((sum, fields) => sum + Number(fields.at(-1)), 0);
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // It was closed while we looked.
  }
}

/** The series of our own in a scrape, with their values. */
export function series(metrics: string): Map<string, number> {
  const lines = metrics.matchAll(/^((?:fetch_)?whep_\w+(?:\{.*\})?) (\S+)$/gm);
  return new Map([...lines].map(([, name = '', value]) => [name, Number(value)]));
}

/** Counters of what was refused, dropped, limited or ended, and of what viewers ask for: one of them may name an attack. */
const NAMING = [
  /^(fetch_)?whep_\w*(gate|flood|refus|reject|limit|drop|discard|fail|feedback|ssrc|nack|keyframe|ended)\w*_total\b/,
  /^(fetch_)?whep_requests_total\{.*code="(408|429|503)"/,
];

/** The counters that an attack made grow and that stood still, or nearly, before it; the one that grew most first. */
export function named(calm: Map<string, number>, attacked: Map<string, number>): string[] {
  return [...attacked]
    .map(([name, grown]) => ({ name, grown, before: calm.get(name) ?? 0 }))
    .filter(({ name, grown, before }) => NAMING.some((each) => each.test(name)) && grown > 10 * before + 10)
    .sort((a, b) => b.grown - a.grown)
    .map(({ name, grown }) => `${name} +${grown}`);
}

/** What each counter grew by between two scrapes. */
export function growth(before: Map<string, number>, after: Map<string, number>): Map<string, number> {
  return new Map([...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)]));
}

/**
 * What attacks cost the others: a hundred viewers play while an attacker sends what one core can, each attack in a fresh
 * process, after a calm time of the same length with which it is compared.
 *
 *   scripts/bench attack [--viewers 100] [--secs 10] [--only NAME]... [--runtime node|bun|deno] [--rate-limit 20|none]
 *
 * Three processes: the server, this one with the stream and its viewers, the attacker. In life the attacker's processor is
 * another machine's. Here it is one of perhaps two, so it is kept on the second core and goes behind the others (nice), while
 * this process goes before the server's where the system allows it: else a viewer's wait for a processor would count as the
 * server's. On loopback even what the kernel does with a datagram that arrives is done in the attacker's time.
 *
 * `lost` is missing after nothing: the viewers ask for no retransmission. It counts gaps in the sequence numbers, without
 * what the viewers' own sockets had no room for, and what the legs' sockets lost, and packets that should have come but for
 * which there is no gap, as when viewers are made to wait for a keyframe. Latencies are those of the viewers that played
 * before. The event loop's delay is that of the server's own metrics, less its timer's 10 ms; where a runtime has none, the
 * p99 of GET /healthz stands for it. Ends with 1 when a target is missed.
 */
import { setPriority } from 'node:os';
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { pause, quantiles, round } from '../../src/cli/bench/measure.ts';
import { usage } from '../../src/cli/bench/process.ts';
import { type Column, table } from '../../src/cli/bench/report.ts';
import { openWorld, PLAYING, type World } from '../support/attacked.ts';
import {
  ATTACKS,
  type AttackName,
  attack,
  attackNames,
  deliveryOf,
  growth,
  isAttack,
  lostBetween,
  named,
  pinned,
  series,
} from '../support/attacks.ts';
import type { Runtime } from '../support/runtimes.ts';
import type { RunningServer } from '../support/server.ts';

const { values } = parseArgs({
  options: {
    viewers: { type: 'string', default: '100' },
    secs: { type: 'string', default: '10' },
    only: { type: 'string', multiple: true, default: [] },
    runtime: { type: 'string', default: 'node' },
    'rate-limit': { type: 'string', default: '20' },
  },
});
const viewers = Number(values.viewers);
const milliseconds = Number(values.secs) * 1000;
const names = values.only.length > 0 ? values.only.filter(isAttack) : attackNames();
const unknown = values.only.find((name) => !isAttack(name));
if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${attackNames().join(', ')}`);
// The bundle of this file does not lie beside the addon.
process.env.FETCH_WHEP_ADDON ??= resolve('dist/fetch-whep.node');

const MIB = 2 ** 20;
/** Below the rate limit, so that an honest client is never over it. */
const JOINS_PER_SECOND = 4;
/** nice(2), of this process. */
const PRECEDENCE = -8;
const SETTLING = 2_000;
/** Requests, and how many of them at once. */
const WARMING = 12_000;
const LANES = 100;
/** In which memory has to come back: a session that never connects is ended after 15 s. */
const RESTING = 20_000;
/** How often memory is looked at. */
const LOOKING = 250;
/** What V8 and the allocator keep more or less without a reason. */
const NOISE = 8 * MIB;
/** Of the timer by which a loop's delay is measured. Milliseconds. */
const RESOLUTION = 10;
const JOINING = PLAYING + 1;

/** One phase. Times in milliseconds, memory in bytes. */
interface Phase {
  lost: number;
  connected: number;
  p99: number;
  joins: number | undefined;
  refused: number;
  loop: number | undefined;
  most: number;
  counters: Map<string, number>;
}

interface Row {
  name: AttackName;
  sent: number;
  calm: Phase;
  attacked: Phase;
  /** Bytes above those of the calm time, when the attack had been over for a while. */
  kept: number;
  counters: string[];
  missed: string[];
}

const COLUMNS: Column<Row>[] = [
  ['attack', (row) => row.name],
  ['sent/s', (row) => round((row.sent / milliseconds) * 1000)],
  ['lost', (row) => row.attacked.lost],
  ['ended', (row) => viewers - row.attacked.connected],
  ['p99 ms', (row) => round(row.attacked.p99)],
  ['x calm', (row) => round(row.attacked.p99 / row.calm.p99)],
  ['POST p95', (row) => row.attacked.joins],
  ['refused', (row) => row.attacked.refused],
  ['loop p99', (row) => row.attacked.loop],
  ['MB more', (row) => megabytes(row.attacked.most - row.calm.most)],
  ['MB kept', (row) => megabytes(row.kept)],
  ['targets', (row) => (row.missed.length > 0 ? `MISSED ${row.missed.join(', ')}` : 'met')],
  ['named by', (row) => row.counters[0]],
];

const rows: Row[] = [];
let world = await open();
try {
  setPriority(PRECEDENCE);
} catch {
  console.error('this process cannot go before the others: latencies have its own waiting in them');
}
if (!pinned) console.error('the attacker cannot be kept on one core here: it competes with the others everywhere');
try {
  for (const name of names) {
    console.error(`${name}: ${ATTACKS[name]}`);
    const row = await run(world, name);
    rows.push(row);
    console.error(table(COLUMNS, [row]));
    if (row.attacked.connected < viewers || !alive(world)) {
      await world.end();
      world = await open();
    }
  }
} finally {
  await world.end();
}
console.log(table(COLUMNS, rows));
process.exitCode = rows.every(({ missed }) => missed.length === 0) ? 0 : 1;

async function open(): Promise<World> {
  const world = await openWorld(values.runtime as Runtime, viewers, Number(values['rate-limit']));
  await warm(world);
  await pause(SETTLING);
  return world;
}

/** A runtime's heap grows once with the first thousands of requests, whoever sends them: honest ones come first here. */
async function warm({ server }: World): Promise<void> {
  const lane = async () => {
    for (let request = 0; request < WARMING / LANES; request++) await textOf(`${server.url}/healthz`);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function run(world: World, name: AttackName): Promise<Row> {
  const calm = await phase(world, () => pause(milliseconds));
  await pause(SETTLING);
  let sent = 0;
  const attacked = await phase(world, async () => {
    const { url, leg } = world;
    const report = await attack({ name, url, leg, milliseconds, most: Number.MAX_SAFE_INTEGER });
    sent = report.sent;
  });
  const kept = (await least(world)) - calm.most;
  const counters = named(calm.counters, attacked.counters);
  return { name, sent, calm, attacked, kept, counters, missed: judge(calm, attacked, kept, counters) };
}

function judge(calm: Phase, attacked: Phase, kept: number, counters: string[]): string[] {
  const targets: [string, boolean][] = [
    ['loss', attacked.lost === 0],
    ['sessions', attacked.connected === viewers],
    ['latency', attacked.p99 <= 3 * calm.p99],
    ['joins', attacked.refused === 0 && (attacked.joins ?? Number.POSITIVE_INFINITY) < 100],
    ['event loop', (attacked.loop ?? Number.POSITIVE_INFINITY) < 20],
    ['memory', attacked.most - calm.most < 16 * MIB && kept < NOISE],
    ['metric', counters.length > 0],
  ];
  return targets.filter(([, met]) => !met).map(([target]) => target);
}

/** What the viewers and those that join got while `during` ran. */
async function phase({ server, load, url }: World, during: () => Promise<void>): Promise<Phase> {
  const before = await look({ server, load });
  const watched = watch(server);
  const comers = Math.round((milliseconds / 1000) * JOINS_PER_SECOND);
  const joining = load.join({ url, viewers: comers, over: milliseconds, group: JOINING });
  await during();
  const joined = await joining;
  const { most, health } = await watched();
  const after = await look({ server, load });
  await load.leave(JOINING);
  return {
    lost: lostBetween(before.delivery, after.delivery, viewers) + after.legs - before.legs,
    connected: load.arrivals(PLAYING).connected,
    p99: after.p99,
    joins: quantiles(joined.posts)?.p95,
    refused: joined.failures.length,
    loop: after.loop ?? health,
    most,
    counters: growth(before.counters, after.counters),
  };
}

async function look({ server, load }: Pick<World, 'server' | 'load'>) {
  const sample = load.sample(PLAYING);
  const metrics = await textOf(`${server.url}/metrics`);
  const stats = await server.stats().catch(() => undefined);
  const { video, audio } = stats?.streams.cam1 ?? {};
  // Deno's is always 0.
  const lag = Number(/^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(metrics)?.[1] ?? 0) * 1000;
  return {
    counters: series(metrics),
    loop: lag > 0 ? round(Math.max(0, lag - RESOLUTION)) : undefined,
    legs: (video?.lost ?? 0) + (audio?.lost ?? 0),
    delivery: deliveryOf(load, sample),
    p99: sample.latencyP99,
  };
}

/** Empty when the server does not answer. */
async function textOf(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    return await response.text();
  } catch {
    return '';
  }
}

/** Until it is asked: the most that the server has in memory, and the p99 of small requests. */
function watch(server: RunningServer): () => Promise<{ most: number; health: number | undefined }> {
  let [most, stopped] = [0, false];
  const times: number[] = [];
  const watching = (async () => {
    while (!stopped) {
      most = Math.max(most, usage(server.child.pid)?.rss ?? 0);
      const start = performance.now();
      await textOf(`${server.url}/healthz`);
      times.push(performance.now() - start);
      await pause(LOOKING);
    }
  })();
  return async () => {
    stopped = true;
    await watching;
    return { most, health: quantiles(times)?.p99 };
  };
}

/** The least that the server has in memory within the time in which it has to come back. */
async function least({ server }: World): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + RESTING; performance.now() < end; await pause(LOOKING)) {
    least = Math.min(least, usage(server.child.pid)?.rss ?? 0);
  }
  return least;
}

function alive({ server }: World): boolean {
  return usage(server.child.pid) !== undefined;
}

function megabytes(bytes: number): number {
  return Math.round((bytes / MIB) * 10) / 10;
}

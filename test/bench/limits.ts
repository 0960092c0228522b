/**
 * What the way of a packet and a join may cost at most: each limit beside what this machine shows, all in one run.
 *
 *   scripts/bench limits [--only many|loopback|sender|joins|chromium]... [--secs 15]
 *
 * Needs root on Linux, with nftables and iproute2, and for `chromium` Debian's Chromium. All of it runs in a network of its
 * own (`fetch-whep bench --help`, --sender-only). Ratios hold within a run; times and counts belong to the machine, which
 * should have nothing else to do. `chromium` compares what a packet costs the server with viewers of the benchmark and with
 * viewers in Chromium: as many, of the same stream, one after the other, and media are dropped at the end of the cable before
 * the first joins, so that neither kind costs this machine anything. Ends with 1 when a limit is missed.
 */
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { apart, runApart } from '../../src/cli/bench/cable.ts';
import type { FanoutRow } from '../../src/cli/bench/fanout.ts';
import type { JoinRow } from '../../src/cli/bench/join.ts';
import { profileOf } from '../../src/cli/bench/measure.ts';
import { type Column, table } from '../../src/cli/bench/report.ts';
import { Child } from '../support/child.ts';
import { compareViewers } from '../support/viewer-cost.ts';

/** One limit and what was measured. */
interface Row {
  what: string;
  measured: number | undefined;
  target: string;
  /** Undefined: this machine is not fast enough to ask for it. */
  met: boolean | undefined;
}

const PARTS = { many, loopback, sender, joins, chromium };
type Part = keyof typeof PARTS;
const isPart = (name: string): name is Part => Object.hasOwn(PARTS, name);

const { values } = parseArgs({
  options: { only: { type: 'string', multiple: true, default: [] }, secs: { type: 'string', default: '15' } },
});
const unknown = values.only.find((name) => !isPart(name));
if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${Object.keys(PARTS).join(', ')}`);
if (!apart()) process.exit(await runApart([process.execPath, ...process.argv.slice(1)]));
// The bundle of this file does not lie beside the addon.
process.env.FETCH_WHEP_ADDON ??= resolve('dist/fetch-whep.node');

/** A measurement of many viewers with its floors takes a minute or two. */
const PATIENCE = 600_000;
const KB = 1024;
/** Packets a second and core: what the server has to send where the floor allows so much. */
const [OURS, FLOOR] = [400_000, 520_000];

const COLUMNS: Column<Row>[] = [
  ['what', (row) => row.what],
  ['measured', (row) => row.measured],
  ['target', (row) => row.target],
  ['', (row) => (row.met === undefined ? 'not asked' : row.met ? 'met' : 'MISSED')],
];

const rows: Row[] = [];
for (const name of values.only.length > 0 ? values.only.filter(isPart) : (Object.keys(PARTS) as Part[])) {
  const found = await PARTS[name]();
  process.stderr.write(table(COLUMNS, found));
  rows.push(...found);
}
process.stdout.write(table(COLUMNS, rows));
process.exitCode = rows.every(({ met }) => met !== false) ? 0 : 1;

async function many(): Promise<Row[]> {
  const [row] = await bench<FanoutRow>('fanout', '--viewers', '1000', '--packets', '2', '--video-only');
  return [
    atMost('1000 viewers, 2 packets a picture: lost', row?.lossRatio, 0),
    atMost('1000 viewers, 2 packets a picture: latency p99 ms', row?.latency?.p99, 15),
  ];
}

async function loopback(): Promise<Row[]> {
  const measured = await bench<FanoutRow>('fanout', '--viewers', '200,300');
  return measured.flatMap((row) => [
    atMost(`${row.viewers} viewers, loopback: x GSO floor (${profileOf(row)})`, row.cpuRatio?.gso, 1.35),
    ...(row.viewers === 200 ? [atMost('200 viewers: RSS, KB a viewer', kilobytes(row), 110)] : []),
  ]);
}

async function sender(): Promise<Row[]> {
  const measured = await bench<FanoutRow>('fanout', '--viewers', '200,300', '--sender-only');
  return measured.flatMap((row) => {
    const allowed = row.floorMicrosPerPacket && Math.round(1e6 / row.floorMicrosPerPacket.gso);
    const sent = row.packetsPerSecondAndCore;
    const met = allowed !== undefined && allowed < FLOOR ? undefined : (sent ?? 0) >= OURS;
    const target = `at least ${OURS} where the floor has ${FLOOR} (${allowed})`;
    return [
      atMost(`${row.viewers} viewers, sender alone: x GSO floor (${profileOf(row)})`, row.cpuRatio?.gso, 1.3),
      { what: `${row.viewers} viewers, sender alone: packets/s and core`, measured: sent, target, met },
    ];
  });
}

async function joins(): Promise<Row[]> {
  const [storm] = await bench<JoinRow>('join', '--viewers', '500', '--rate', '50', '--playing', '100');
  const [single] = await bench<JoinRow>('join', '--viewers', '30', '--rate', '2', '--playing', '1');
  // Sound alone, so that little of what is measured is sending.
  const [cost] = await bench<JoinRow>('join', '--viewers', '300', '--rate', '50', '--playing', '1', '--audio-only');
  return [
    atMost('50 joins a second while 100 play: POST to 201, p50 ms', storm?.post?.p50, 6),
    atMost('one join at a time: POST to connected, p50 ms', single?.connection?.p50, 40),
    atMost('a join: CPU of the server, ms', cost?.cpuPerJoin, 3),
  ];
}

async function chromium(): Promise<Row[]> {
  const { ratio, profiles } = await compareViewers(Number(values.secs));
  const what = `a packet to Chromium: x one to the benchmark's viewers (${profiles.join(', ')})`;
  return [{ what, measured: ratio, target: '0.9 to 1.1', met: ratio >= 0.9 && ratio <= 1.1 }];
}

function kilobytes(row: FanoutRow): number | undefined {
  return row.rssBytesPerViewer && Math.round(row.rssBytesPerViewer / KB);
}

function atMost(what: string, measured: number | undefined, limit: number): Row {
  return { what, measured, target: `at most ${limit}`, met: measured !== undefined && measured <= limit };
}

/** Rows of `fetch-whep bench`, in a process of its own. */
async function bench<Measured>(name: string, ...args: string[]): Promise<Measured[]> {
  const secs = name === 'fanout' ? ['--secs', values.secs] : [];
  process.stderr.write(`bench ${[name, ...args, ...secs].join(' ')}\n`);
  const child = new Child('node', 'dist/cli.js', ['bench', name, ...args, ...secs, '--json']);
  const { code } = await child.ending(PATIENCE);
  if (code !== 0) throw new Error(child.stderr);
  return child.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Measured);
}

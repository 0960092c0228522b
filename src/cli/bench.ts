import process from 'node:process';
import { UsageError } from './arguments.ts';
import { apart, runApart } from './bench/cable.ts';
import * as churn from './bench/churn.ts';
import * as fanout from './bench/fanout.ts';
import * as join from './bench/join.ts';
import { round } from './bench/measure.ts';
import { type BenchOptions, help, parseOptions } from './bench/options.ts';
import { type Column, table } from './bench/report.ts';
import { commandFor } from './bench/target.ts';

type Say = (text: string) => void;

/** Measures as told; resolves with the exit code: 1 when a viewer did not get in. Throws `UsageError`. */
export async function benchCommand([name, ...args]: readonly string[]): Promise<number> {
  if ([name, ...args].some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(usageText());
    return 0;
  }
  switch (name) {
    case 'fanout': {
      const options = parseOptions(args);
      if (options['sender-only'] && !apart()) return runApart([...commandFor(), 'bench', name, ...args]);
      return run(fanout.fanout, fanout.COLUMNS, [10, 50, 100, 200, 300], options);
    }
    case 'join':
      return run(join.join, join.COLUMNS, [100], withoutCosts(parseOptions(args)));
    case 'churn':
      return run(churn.churn, churn.COLUMNS, [100], withoutCosts(parseOptions(args)));
    default:
      throw new UsageError(
        `${name === undefined ? 'the name of a benchmark is missing' : `unknown benchmark ${name}`}: see fetch-whep bench --help`,
      );
  }
}

/** For benchmarks that tell nothing of the CPU that a packet needs. */
function withoutCosts(options: BenchOptions): BenchOptions {
  if (options['sender-only']) throw new UsageError('--sender-only is for fanout: leave it out');
  if (options.rounds > 1) throw new UsageError('--rounds is for fanout: leave it out');
  return options;
}

/** What `run` needs of a measurement. */
interface Measured {
  failures: number;
  cpuMicrosPerPacket?: number | undefined;
}

/** Beside a measurement: what was measured. */
interface Subject {
  /** Undefined: what serves somebody else's URL is not known. */
  engine: string | undefined;
  /** Of the pictures; undefined without any. */
  codec: string | undefined;
  /** CPU for each packet, as a multiple of the first codec's. */
  codecRatio: number | undefined;
}

const ENGINE: Column<Subject> = ['engine', ({ engine }) => engine];
const CODEC: Column<Subject> = ['codec', ({ codec }) => codec];
const RATIO: Column<Subject> = ['x first codec', ({ codecRatio }) => codecRatio];

async function run<Row extends Measured>(
  measure: (viewers: number, options: BenchOptions, say: Say) => Promise<Row>,
  columns: readonly Column<Row>[],
  counts: readonly number[],
  options: BenchOptions,
): Promise<number> {
  const rows: (Row & Subject)[] = [];
  const several = options.codecs.length > 1;
  let failures = 0;
  for (const viewers of options.viewers ?? counts) {
    const measured = variants(options).map((variant) => ({ variant, rows: [] as Row[] }));
    for (let turn = 1; turn <= options.rounds; turn++) {
      for (const { variant, rows } of measured) {
        const row = await measure(viewers, variant, (text) => {
          const which = options.rounds > 1 && `round ${turn}`;
          const who = [`${viewers} viewers`, which, options.compare && variant.engine, several && variant.codec];
          process.stderr.write(`bench: ${who.filter(Boolean).join(', ')}: ${text}\n`);
        });
        failures += row.failures;
        rows.push(row);
      }
    }
    const first = measured[0] && median(measured[0].rows).cpuMicrosPerPacket;
    for (const { variant, rows: its } of measured) {
      const row = median(its);
      const ratio = several && first && row.cpuMicrosPerPacket && round(row.cpuMicrosPerPacket / first);
      rows.push({ ...row, ...subject(variant), codecRatio: ratio || undefined });
      if (options.json) process.stdout.write(`${JSON.stringify(rows.at(-1))}\n`);
    }
  }
  const shown: Column<Row & Subject>[] = [
    ...(options.compare ? [ENGINE] : []),
    ...(several ? [CODEC] : []),
    ...columns,
    ...(rows.some(({ codecRatio }) => codecRatio) ? [RATIO] : []),
  ];
  if (!options.json) process.stdout.write(`${table(shown, rows)}Times are in milliseconds.\n`);
  return failures > 0 ? 1 : 0;
}

/** Of several rounds, the one in the middle by what a packet costs. */
function median<Row extends Measured>(rows: readonly Row[]): Row {
  const cost = ({ cpuMicrosPerPacket = 0 }: Row) => cpuMicrosPerPacket;
  return rows.toSorted((a, b) => cost(a) - cost(b))[rows.length >> 1] as Row;
}

/** One measurement each. */
function variants(options: BenchOptions): BenchOptions[] {
  const engines = [options.engine, ...(options.compare ? [options.compare] : [])];
  return engines.flatMap((engine) => options.codecs.map((codec) => ({ ...options, engine, codec })));
}

function subject({ engine, codec, url, 'audio-only': audioOnly }: BenchOptions): Pick<Subject, 'engine' | 'codec'> {
  return { engine: url === undefined ? engine : undefined, codec: audioOnly ? undefined : codec };
}

function usageText(): string {
  return `Usage: fetch-whep bench fanout|join|churn [options]

Measures a server with real WHEP viewers on this machine, which need about as much of it as the server.
  fanout  viewers that play: CPU for each packet, loss, latency, memory; beside what the machine can do without WebRTC
  join    viewers that join within a second or at --rate, and what those that play already notice of it
  churn   viewers that join and leave for a while, and what stays behind

${help()}

--sender-only leaves out what receiving costs on one machine. The server and the viewers get a network each, joined by
a cable (veth). Once the viewers are connected, media are dropped at their end of it by nftables, which counts them;
consent checks and RTCP go through. What remains in the server's CPU is encrypting, UDP segmentation, the way through
the kernel to that end, and the server itself; the floor is sent by the same way. There is a floor for the profiles
with AES-GCM alone.

The table goes to standard output, progress to standard error. Exit code 1: a viewer did not get in.
`;
}

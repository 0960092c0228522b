import process from 'node:process';
import { UsageError } from './arguments.ts';
import { apart, runApart } from './bench/cable.ts';
import * as churn from './bench/churn.ts';
import * as fanout from './bench/fanout.ts';
import * as join from './bench/join.ts';
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
      return run(join.join, join.COLUMNS, [100], withReceivers(parseOptions(args)));
    case 'churn':
      return run(churn.churn, churn.COLUMNS, [100], withReceivers(parseOptions(args)));
    default:
      throw new UsageError(
        `${name === undefined ? 'the name of a benchmark is missing' : `unknown benchmark ${name}`}: see fetch-whep bench --help`,
      );
  }
}

function withReceivers(options: BenchOptions): BenchOptions {
  if (options['sender-only']) throw new UsageError('--sender-only is for fanout: leave it out');
  return options;
}

async function run<Row extends { failures: number }>(
  measure: (viewers: number, options: BenchOptions, say: Say) => Promise<Row>,
  columns: readonly Column<Row>[],
  counts: readonly number[],
  options: BenchOptions,
): Promise<number> {
  const engines = [options.engine, ...(options.compare ? [options.compare] : [])];
  const rows: (Row & { engine: string | undefined })[] = [];
  for (const viewers of options.viewers ?? counts) {
    for (const engine of engines) {
      const row = await measure(viewers, { ...options, engine }, (text) => {
        const who = options.compare ? `${viewers} viewers, ${engine}` : `${viewers} viewers`;
        process.stderr.write(`bench: ${who}: ${text}\n`);
      });
      // What serves somebody else's URL is not known.
      rows.push({ ...row, engine: options.url === undefined ? engine : undefined });
      if (options.json) process.stdout.write(`${JSON.stringify(rows.at(-1))}\n`);
    }
  }
  const shown: Column<(typeof rows)[number]>[] = options.compare
    ? [['engine', ({ engine }) => engine], ...columns]
    : [...columns];
  if (!options.json) process.stdout.write(`${table(shown, rows)}Times are in milliseconds.\n`);
  return rows.some((row) => row.failures > 0) ? 1 : 0;
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

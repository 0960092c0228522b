import { type ChildProcess, spawn } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Failure } from '../../index.ts';
import { currentRuntime } from '../../runtime.ts';
import { waitFor } from './measure.ts';
import type { BenchOptions } from './options.ts';

/** The server that is measured. */
export interface Target {
  /** Its WHEP endpoint. */
  url: string;
  /** Undefined: not known, or not on this machine. */
  pid: number | undefined;
  /** Where it takes the stream; undefined: it has one of its own. */
  ports: { video: number; audio: number | undefined } | undefined;
  /** Its WHIP endpoint, when it takes the stream there. */
  whip: string | undefined;
  /** Where it tells about itself, when it is ours. */
  origin: string | undefined;
  /** Ends it when it is ours. */
  stop(): Promise<void>;
}

export function openTarget(options: BenchOptions): Promise<Target> | Target {
  const { url, pid, rtp } = options;
  if (url === undefined) return startServer(options);
  const [video, audio] = rtp ?? [];
  const ports = video === undefined ? undefined : { video, audio };
  return { url, pid, ports, whip: undefined, origin: undefined, stop: async () => {} };
}

/** A server in a process of its own, on loopback, with one stream that takes RTP or a publisher. */
async function startServer(options: BenchOptions): Promise<Target> {
  const { runtime, shards, engine, ingest } = options;
  const [program, first] = commandOf(runtime);
  const cli = fileURLToPath(import.meta.url);
  const limits = ['--max-viewers', '10000', '--max-viewers-per-stream', 'none'];
  const threads = shards === undefined ? [] : ['--shards', `${shards}`];
  const source = ingest === 'whip' ? 'whip' : 'rtp:0,0';
  const rest = ['--port', '0', '--stream', `bench=${source}`, '--log-level', 'error', '--engine', engine];
  const child = spawn(program, [...first, cli, 'serve', ...rest, ...limits, ...threads], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH: searchPath(cli) },
  });
  const line = await firstLine(child).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  const { listening, streams } = JSON.parse(line) as Announcement;
  const { video, audio } = streams.bench;
  return {
    url: `${listening}/whep/bench`,
    pid: child.pid,
    ports: video === undefined ? undefined : { video, audio },
    whip: ingest === 'whip' ? `${listening}/whip/bench` : undefined,
    origin: listening,
    stop: async () => {
      child.kill('SIGTERM');
      await waitFor('the server to end', 15_000, () => child.exitCode !== null || child.signalCode !== null);
    },
  };
}

interface Announcement {
  listening: string;
  streams: { bench: { video?: number; audio?: number } };
}

function commandOf(runtime: BenchOptions['runtime']): [program: string, first: string[]] {
  const current = currentRuntime();
  const first = (runtime ?? current) === 'deno' ? ['run', '-A', '--node-modules-dir=manual'] : [];
  return [runtime === undefined || runtime === current ? process.execPath : runtime, first];
}

/** Runtimes may be installed beside us, as npm packages. */
function searchPath(cli: string): string {
  return [join(dirname(cli), '../node_modules/.bin'), process.env.PATH].join(delimiter);
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = '';
  let failure: Error | undefined;
  child.stdout?.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  child.on('error', (error) => {
    failure = error;
  });
  await waitFor('the server to listen', 30_000, () => {
    if (failure) throw new Failure('engine-unavailable', `the server cannot be started: ${failure.message}`);
    if (child.exitCode !== null) throw new Failure('engine-unavailable', 'the server ended at once');
    return text.includes('\n');
  });
  return text.slice(0, text.indexOf('\n'));
}

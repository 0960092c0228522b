import { type ChildProcess, spawn } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Failure } from '../../index.ts';
import { currentRuntime } from '../../runtime.ts';
import type { Cable } from './cable.ts';
import { waitFor } from './measure.ts';
import { type BenchOptions, loadConfig } from './options.ts';

/** The server that is measured. */
export interface Target {
  /** Its WHEP endpoint. */
  url: string;
  /** Undefined: not known, or not on this machine. */
  pid: number | undefined;
  /** Where it takes the stream; undefined: it has one of its own. */
  ports: { video: number | undefined; audio: number | undefined } | undefined;
  /** Its WHIP endpoint, when it takes the stream there. */
  whip: string | undefined;
  /** Where it tells about itself, when it is ours. */
  origin: string | undefined;
  /** Ends it when it is ours. */
  stop(): Promise<void>;
}

/** Our own is at the other end of the `cable`, when there is one; `cli` is the program that has the command `serve`. */
export function openTarget(options: BenchOptions, cable?: Cable, cli = CLI): Promise<Target> | Target {
  const { url, pid, rtp } = options;
  if (url === undefined) return startServer(options, cable, cli);
  const ports = rtp && { video: rtp[0], audio: rtp[1] };
  return { url, pid, ports, whip: undefined, origin: undefined, stop: async () => {} };
}

/** A program of ours as a command, by default this one on the runtime that it runs on. */
export function commandFor(runtime?: BenchOptions['runtime'], cli = CLI): string[] {
  const [program, first] = commandOf(runtime);
  return [program, ...first, cli];
}

const CLI = fileURLToPath(import.meta.url);

/** A server in a process of its own, with one stream that takes RTP or a publisher. */
async function startServer(options: BenchOptions, cable: Cable | undefined, cli: string): Promise<Target> {
  const { runtime, shards, engine, ingest } = options;
  const { video: codec, audio: hasAudio } = loadConfig(options).programme;
  const limits = ['--max-viewers', '10000', '--max-viewers-per-stream', 'none'];
  const threads = shards === undefined ? [] : ['--shards', `${shards}`];
  const source = ingest === 'whip' ? 'whip' : `rtp:${codec ? `0/${codec}` : ''}${hasAudio ? ',0' : ''}`;
  const place = cable === undefined ? [] : ['--host', cable.server, '--media-host', cable.server];
  const rest = ['--port', '0', '--stream', `bench=${source}`, '--log-level', 'error', '--engine', engine];
  const serve = [...commandFor(runtime, cli), 'serve', ...rest, ...place, ...limits, ...threads];
  const [program = '', ...args] = [...(cable?.enter ?? []), ...serve];
  const child = spawn(program, args, {
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
    ports: ingest === 'whip' ? undefined : { video, audio },
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

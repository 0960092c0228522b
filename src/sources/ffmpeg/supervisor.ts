import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { getLogger } from '@logtape/logtape';
import { masked } from './command.ts';

const log = getLogger(['fetch-whep', 'ffmpeg']);

/** Pause before the first restart and the longest one. Milliseconds. */
const firstPause = 250;
const longestPause = 10_000;
/** A process that lived this long was well: the next pause is the first again. Milliseconds. */
const healthy = 10_000;
/** How long the last words of an ended FFmpeg are waited for. Milliseconds. */
const draining = 500;
/** How much of what FFmpeg says is kept for the day it fails. */
const keptLines = 40;
const keptColumns = 400;

/**
 * FFmpeg's guard: a shell that runs this fixed script with the command as its arguments. Its standard input is a pipe
 * whose other end only our process holds. End of file, because we closed it or because we were killed in whatever
 * way, ends FFmpeg: by SIGTERM, and 2 s later by SIGKILL.
 */
const guard = `
trap '' INT
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{ read -r _ <&3; kill -TERM $child; sleep 2 >/dev/null 2>&1; kill -KILL $child; } 2>/dev/null &
watch=$!
exec 3<&-
wait $child
status=$?
kill -KILL $watch 2>/dev/null
exit $status
`;

/** Keeps one FFmpeg running until it is stopped: when it ends, another follows after a growing, random pause. */
export class Supervisor {
  readonly #stream: string;
  readonly #command: () => Promise<string[]>;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();

  /** `command` gives FFmpeg's arguments, anew for each start. */
  constructor(stream: string, command: () => Promise<string[]>) {
    this.#stream = stream;
    this.#command = command;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when no process is left. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    let pause = firstPause;
    while (!signal.aborted) {
      const began = Date.now();
      const end = await this.#once().catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      );
      if (signal.aborted) return;
      if (Date.now() - began >= healthy) pause = firstPause;
      const wait = Math.round(pause * (0.5 + Math.random() / 2));
      log.warning('{stream}: FFmpeg ended ({end}); again in {wait} ms', { stream: this.#stream, end, wait });
      pause = Math.min(pause * 2, longestPause);
      await sleep(wait, signal);
    }
  }

  /** One life of FFmpeg; resolves with how it ended, in words. */
  async #once(): Promise<string> {
    const args = await this.#command();
    if (this.#stopped.signal.aborted) return 'stopped';
    log.debug('{stream}: ffmpeg {args}', { stream: this.#stream, args: args.map(masked).join(' ') });
    const child = spawn('/bin/sh', ['-c', guard, 'ffmpeg-guard', 'ffmpeg', ...args], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: process.env,
    });
    const lastWords = keepLastWords(child);
    const close = () => child.stdin?.destroy();
    this.#stopped.signal.addEventListener('abort', close);
    const end = await ended(child);
    this.#stopped.signal.removeEventListener('abort', close);
    close();
    return [end, ...lastWords].join('\n  ');
  }
}

function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    // The guard may be gone before we close its pipe.
    child.stdin?.on('error', () => {});
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      const end = code === 127 ? 'ffmpeg is not on the PATH: install it' : (signal ?? `exit code ${code}`);
      child.on('close', () => resolve(end));
      // Something that FFmpeg started may hold its standard error for ever.
      setTimeout(() => {
        child.stderr?.destroy();
        resolve(end);
      }, draining).unref();
    });
  });
}

/** A live view of the newest lines of standard error. */
function keepLastWords(child: ChildProcess): string[] {
  const lines: string[] = [];
  let rest = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const complete = (rest + text).split(/[\r\n]+/);
    rest = (complete.pop() ?? '').slice(-keptColumns);
    lines.push(...complete.filter((line) => line !== '').map((line) => masked(line.slice(0, keptColumns))));
    lines.splice(0, lines.length - keptLines);
  });
  return lines;
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

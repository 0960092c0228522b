import { getLogger } from '@logtape/logtape';
import { Backoff } from '../backoff.ts';
import { type Ending, GuardedProcess } from './guard.ts';
import { type Progress, readProgress } from './progress.ts';

const log = getLogger(['fetch-whep', 'ffmpeg']);

/** The longest pause before a restart. Milliseconds. */
const longestPause = 10_000;
/** A process that lived this long was well: the next pause is the first again. Milliseconds. */
const healthy = 5_000;

export interface SupervisorTerms {
  stream: string;
  /** FFmpeg's arguments, anew for each start. Rejects when there is nothing to start. */
  command(signal: AbortSignal): Promise<string[]>;
  /** An FFmpeg is gone and another may follow; `delivered`: it had sent media. */
  gone(delivered: boolean): void;
  /** FFmpeg that makes no progress for this long hangs. Milliseconds. */
  stall: number;
  /** Another start follows an end without an error. */
  forever: boolean;
  /** Takes the secrets out of a text. */
  mask(text: string): string;
}

/** How a supervised process is doing. */
export interface Supervision {
  state: 'probing' | 'running' | 'waiting' | 'stopped';
  restarts: number;
  /** How the last one ended, secrets masked; absent while none has. */
  lastError?: string;
  /** Of the one that runs. */
  progress: Progress;
}

/** Keeps one FFmpeg running until it is stopped: when it ends, another follows after a growing, random pause. */
export class Supervisor {
  readonly #terms: SupervisorTerms;
  readonly #stopped = new AbortController();
  readonly #supervision: Supervision = { state: 'probing', restarts: 0, progress: {} };
  #running: Promise<void> = Promise.resolve();

  constructor(terms: SupervisorTerms) {
    this.#terms = terms;
  }

  get supervision(): Readonly<Supervision> {
    return this.#supervision;
  }

  start(): void {
    this.#running = this.#run().finally(() => {
      this.#supervision.state = 'stopped';
      this.#supervision.progress = {};
    });
  }

  /** Resolves when no process is left. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { stream, forever, mask } = this.#terms;
    const { signal } = this.#stopped;
    const supervision = this.#supervision;
    const backoff = new Backoff(longestPause);
    for (;;) {
      const began = performance.now();
      const { code, words } = await this.#once().catch(failed);
      if (signal.aborted) return;
      const [how = '', ...lastWords] = words.map(mask);
      supervision.lastError = [how, ...lastWords.slice(-1)].join(': ');
      if (code === 0 && !forever) return log.info('{stream}: FFmpeg came to the end of its input', { stream });
      if (performance.now() - began >= healthy) backoff.reset();
      const wait = backoff.next();
      const end = [how, ...lastWords].join('\n  ');
      log.warning('{stream}: FFmpeg ended ({end}); again in {wait} ms', { stream, end, wait });
      supervision.state = 'waiting';
      supervision.progress = {};
      await sleep(wait, signal);
      if (signal.aborted) return;
      supervision.restarts++;
    }
  }

  /** One life of FFmpeg; resolves with how it ended, then its last words. */
  async #once(): Promise<End> {
    const { stream, command, gone, stall, mask } = this.#terms;
    const { signal } = this.#stopped;
    this.#supervision.state = 'probing';
    const args = await command(signal);
    if (signal.aborted) return { code: null, words: ['stopped'] };
    log.debug('{stream}: ffmpeg {args}', { stream, args: mask(args.join(' ')) });
    this.#supervision.state = 'running';
    let delivered = false;
    let hangs = false;
    const watchdog = setTimeout(() => {
      hangs = true;
      end();
    }, stall);
    const read = readProgress((progress, advanced) => {
      this.#supervision.progress = progress;
      if (!advanced) return;
      delivered = true;
      watchdog.refresh();
    });
    const child = new GuardedProcess('ffmpeg', args, read);
    const end = () => child.end();
    signal.addEventListener('abort', end);
    const { code, how } = await child.ended.finally(() => {
      clearTimeout(watchdog);
      signal.removeEventListener('abort', end);
    });
    if (!signal.aborted) gone(delivered);
    return { code, words: [hangs ? `no progress for ${stall / 1000} s` : how, ...child.lastWords] };
  }
}

interface End {
  code: Ending['code'];
  words: string[];
}

function failed(error: unknown): End {
  return { code: null, words: [error instanceof Error ? error.message : String(error)] };
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}

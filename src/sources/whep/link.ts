import { setTimeout as pause } from 'node:timers/promises';
import { getLogger } from '@logtape/logtape';
import { Failure } from '../../errors.ts';
import { unlessAborted } from '../../patience.ts';
import { Backoff, jittered } from '../backoff.ts';
import type { Pull, Puller, PullReport } from '../source.ts';
import { type Answered, WhepClient } from './client.ts';
import { checkPath } from './path.ts';
import { Refusal } from './refusal.ts';
import type { WhepSpec } from './spec.ts';

const log = getLogger(['fetch-whep', 'pull']);

/** The longest pause between attempts; viewers wait no more than twice as long by default. Milliseconds. */
const LONGEST_PAUSE = 5_000;
/** Media that flowed for this long was well. Milliseconds. */
const HEALTHY = 10_000;
/** After so many failures without such a session it is not busy or away but wrong, and left alone for longer. Milliseconds. */
const FAILURES = 5;
const LONG_PAUSE = 60_000;
/** Between two looks at whether media flows, and between two questions when it does not. Milliseconds. */
const LOOK = 500;
const ASK = 2_000;
/** Media begins within this time, or something is wrong. Milliseconds. */
const FIRST_PACKET = 5_000;

/** Keeps one session with another server until it is stopped: when it ends, another follows after a pause. */
export class Link {
  readonly #stream: string;
  readonly #spec: WhepSpec;
  readonly #puller: Puller;
  readonly #client: WhepClient;
  readonly #stopped = new AbortController();
  readonly #report: PullReport & { path: string[] } = { state: 'connecting', restarts: 0, path: [] };
  #running: Promise<void> = Promise.resolve();
  /** `Date.now()` when the session at hand began to play. */
  #began = Number.POSITIVE_INFINITY;

  /** `outside`: see `WhepClient`. */
  constructor(stream: string, spec: WhepSpec, puller: Puller, outside: boolean) {
    this.#stream = stream;
    this.#spec = spec;
    this.#puller = puller;
    this.#client = new WhepClient(spec, outside);
  }

  get report(): PullReport {
    return { ...this.#report };
  }

  start(): void {
    this.#running = this.#run().finally(() => {
      this.#report.state = 'stopped';
    });
  }

  /** Resolves when the other server has been told, or cannot be. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    const backoff = new Backoff(LONGEST_PAUSE);
    let failures = 0;
    for (;;) {
      this.#report.state = 'connecting';
      this.#began = Number.POSITIVE_INFINITY;
      const { message, detail = message, retryAfter, passing } = await this.#once().catch(refusal);
      if (signal.aborted) return;
      if (Date.now() - this.#began >= HEALTHY) {
        backoff.reset();
        failures = 0;
      } else if (!passing) {
        failures++;
      }
      const pause = failures < FAILURES ? backoff.next() : jittered(LONG_PAUSE);
      const wait = Math.max(pause, retryAfter * 1000);
      // Said once: it may go on like this for days.
      const level = message === this.#report.lastError ? 'debug' : 'warning';
      log[level]('{stream}: not pulled ({detail}); again in {wait} ms', { stream: this.#stream, detail, wait });
      Object.assign(this.#report, { state: 'waiting', lastError: message, path: [] });
      await sleep(wait, signal);
      if (signal.aborted) return;
      this.#report.restarts++;
    }
  }

  /** One session; resolves or rejects with why it is over. */
  async #once(): Promise<Refusal> {
    const pull = await this.#puller.offer(this.#spec.legs, this.#client.loopback);
    const over = AbortSignal.any([this.#stopped.signal, pull.over]);
    let session: Answered['session'];
    try {
      const answered = await this.#client.join(pull.offer, over);
      session = answered.session;
      checkPath(answered.path, this.#puller.mark);
      await unlessAborted(pull.accept(answered.answer), over).catch(judged);
      this.#began = Date.now();
      Object.assign(this.#report, { state: 'playing', path: answered.path });
      log.info('{stream}: pulled', { stream: this.#stream });
      return await this.#watch(pull, session, over);
    } finally {
      await Promise.all([session && this.#client.leave(session), pull.close()]);
    }
  }

  /** Until the session is over, by its own end or because the other server has forgotten it. */
  async #watch(pull: Pull, session: Answered['session'], over: AbortSignal): Promise<Refusal> {
    const patience = Date.now() + FIRST_PACKET;
    let begun = false;
    let wait = LOOK;
    for (;;) {
      await sleep(wait, over);
      if (over.aborted) return new Refusal(String(over.reason));
      const flows = this.#puller.flows();
      begun ||= flows;
      const silent = !flows && (begun || Date.now() > patience);
      // The stream may have fallen silent there, and will go on; a server that was killed cannot say that it ended.
      if (silent && !(session && (await this.#client.has(session, pull.fragment, over)))) {
        return new Refusal('nothing comes any more, and the other server has ended the session');
      }
      wait = silent ? ASK : LOOK;
    }
  }
}

function refusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal(error instanceof Error ? error.message : String(error));
}

/** Why an answer was not accepted: in public without the other server's words. */
function judged(error: unknown): never {
  if (!(error instanceof Failure)) throw refusal(error);
  const [line = ''] = /; line \d+/.exec(error.message) ?? [];
  const what = error.code === 'invalid-answer' ? `answer is invalid${line}` : 'answer cannot be used';
  throw new Refusal(`the other server's ${what} (the log says why)`, { detail: error.message });
}

/** Ends early, without a fault, when the signal aborts. */
async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  await pause(milliseconds, undefined, { signal, ref: false }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

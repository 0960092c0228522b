import type { EndReason, MediaEngine } from './engine/port.ts';
import { Failure } from './errors.ts';
import { randomId } from './random.ts';
import { readAnswer } from './sdp/pull-answer.ts';
import { type PullLine, pullLines, pullMedia, writeOffer } from './sdp/pull-offer.ts';
import type { Pull, Puller } from './sources/source.ts';

/** A session that has neither ICE nor DTLS after this long never will. Milliseconds. */
const SETUP_TIME = 10_000;

const REASONS: Record<EndReason, string> = {
  'ice-failed': 'no UDP got through: see which candidates the other server announces and which ports are open',
  'dtls-failed': 'the DTLS handshake failed',
  'consent-lost': 'the other server answers no more',
  'closed-by-peer': 'the other server ended the session',
  'setup-timeout': `not connected after ${SETUP_TIME / 1000} s: see which candidates the other server announces`,
  'engine-error': 'the engine gave it up',
  flooding: 'the other server sent more than a stream can need',
  'codec-changed': 'the other server sends another codec than it answered',
};

/** The sessions that this server asks of others: the engine's side of WHEP clients. */
export class Pulls {
  readonly #engine: MediaEngine;
  readonly #sessions = new Map<string, Session>();

  constructor(engine: MediaEngine) {
    this.#engine = engine;
  }

  /** For the source of one stream; `mark` is that of `Puller`. */
  puller(stream: string, mark: string): Puller {
    return {
      mark,
      flows: () => {
        const { video, audio } = this.#engine.facts(stream) ?? {};
        return video?.active === true || audio?.active === true;
      },
      offer: async (legs, announce) => {
        const session = await Session.offer(this.#engine, stream, pullLines(legs), announce);
        this.#sessions.set(session.id, session);
        session.over.addEventListener('abort', () => this.#sessions.delete(session.id));
        return session;
      },
    };
  }

  connected(session: string): void {
    this.#sessions.get(session)?.connected();
  }

  ended(session: string, reason: EndReason): void {
    this.#sessions.get(session)?.end(REASONS[reason]);
  }
}

class Session implements Pull {
  readonly id = randomId();
  readonly #engine: MediaEngine;
  readonly #lines: PullLine[];
  readonly #over = new AbortController();
  #opened: () => void = () => {};
  #closed: Promise<void> | undefined;
  offer = '';
  fragment = '';

  private constructor(engine: MediaEngine, lines: PullLine[]) {
    this.#engine = engine;
    this.#lines = lines;
  }

  static async offer(
    engine: MediaEngine,
    stream: string,
    lines: PullLine[],
    announce: readonly string[],
  ): Promise<Session> {
    const session = new Session(engine, lines);
    const transport = await engine.offerPull({ id: session.id, stream, media: pullMedia(lines) });
    try {
      return Object.assign(session, writeOffer(lines, transport, announce));
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  get over(): AbortSignal {
    return this.#over.signal;
  }

  async accept(text: string): Promise<void> {
    const { answer, legs } = readAnswer(text, this.#lines);
    const open = new Promise<void>((resolve, reject) => {
      this.#opened = resolve;
      this.over.addEventListener('abort', () => reject(new Failure('engine-failed', this.over.reason)));
    });
    const late = setTimeout(() => this.end(REASONS['setup-timeout']), SETUP_TIME).unref();
    try {
      await Promise.all([open, this.#engine.acceptAnswer(this.id, answer, legs)]);
    } finally {
      clearTimeout(late);
    }
  }

  connected(): void {
    this.#opened();
  }

  end(reason: string): void {
    this.#over.abort(reason);
  }

  close(): Promise<void> {
    this.end('closed');
    this.#closed ??= this.#engine.removeSession(this.id).then(() => {});
    return this.#closed;
  }
}

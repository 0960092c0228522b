import { getLogger } from '@logtape/logtape';
import type { CacheSpec, LegKind, MediaEngine, StreamFacts } from './engine/port.ts';
import { carried, delivers, Entry, type Leg, type Stream } from './entry.ts';
import { Failure } from './errors.ts';
import { Feed, PATIENCE } from './feed.ts';
import { throwFailures, within } from './patience.ts';
import { retrySoon } from './sessions.ts';
import type { Puller, Source } from './sources/source.ts';

export type { Stream } from './entry.ts';

const log = getLogger(['fetch-whep', 'hub']);

/**
 * starting: nothing has arrived yet. live: at least one leg delivers. stalled: everything fell silent, or nothing ever
 * came. ended: silent for longer than the grace time, viewers are gone; a source that comes back makes it live again,
 * unless the stream has failed.
 */
export type StreamState = 'starting' | 'live' | 'stalled' | 'ended';

/** What a stream's life means to others. */
export interface StreamListener {
  /** The first leg began to deliver, or the last one fell silent. */
  flowing(stream: string, flows: boolean): void;
  /** A leg stayed silent for the whole grace time. */
  legFailed(stream: string, leg: LegKind): void;
  /** Every leg did, or the stream is being removed: its sessions have to go. */
  over(stream: string, reason: 'stream-ended' | 'stream-removed'): Promise<void>;
  /** Nothing is left of it: its id is about to be free. */
  gone(stream: string): Promise<void>;
}

/** What holds for every stream. Times in milliseconds. */
export interface StreamTerms {
  grace: number;
  silence: number;
  cache: CacheSpec;
  /** Bytes; see `StreamSpec`. */
  burst: number;
}

/** A stream that has delivered nothing for this long is not about to start any more. Milliseconds. */
const STARTING = 10_000;
/**
 * The streams, their life and their sources. An entry has its id until all of it is gone, however its addition or its
 * removal went: two streams of one id never overlap, and nothing is left without an owner.
 */
export class StreamTable {
  readonly #entries = new Map<string, Entry>();
  readonly #engine: MediaEngine;
  readonly #terms: StreamTerms;
  readonly #listener: StreamListener;
  readonly #puller: (stream: string, mark: string) => Puller;
  #closed = false;

  /** `puller` gives a source what it needs to pull from another server. */
  constructor(
    engine: MediaEngine,
    terms: StreamTerms,
    listener: StreamListener,
    puller: (stream: string, mark: string) => Puller,
  ) {
    this.#engine = engine;
    this.#terms = terms;
    this.#listener = listener;
    this.#puller = puller;
  }

  /**
   * Opens the ingress and starts the source. Rejects with `stream-exists`, `address-in-use`, what the source says, or, as
   * soon as it is overtaken, `closing` or `stream-not-found`; nothing of it is left then.
   */
  async add(id: string, source: Source): Promise<Stream> {
    if (this.#closed) throw closing();
    const before = this.#entries.get(id);
    if (before !== undefined) throw exists(before);
    const { silence, cache, burst } = this.#terms;
    const feed = new Feed(this.#engine, { id, silence, cache, burst }, source);
    const entry = new Entry(id, feed);
    this.#entries.set(id, entry);
    try {
      await feed.open(this.#puller(id, entry.mark));
      feed.leaving.throwIfAborted();
    } catch (error) {
      // Whoever removes it, or closes, sees to the rest.
      if (!entry.leaving) await this.#cleanUp(entry, error);
      throw error;
    }
    return entry;
  }

  /**
   * Ends its sessions, stops its source, closes its ingress. False for an unknown stream, and for one that somebody else
   * is removing, when that is done. Rejects when a part of it could not be ended: removing it again tries again.
   */
  async remove(id: string): Promise<boolean> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    const ours = entry.departure === undefined;
    await this.#leave(entry, removedMeanwhile(id));
    return ours;
  }

  get(id: string): Stream | undefined {
    return this.#find(id);
  }

  *[Symbol.iterator](): IterableIterator<Stream> {
    for (const entry of this.#entries.values()) if (!entry.leaving) yield entry;
  }

  /** Throws `stream-not-found`. */
  require(id: string): Stream {
    const entry = this.#find(id);
    if (entry === undefined) throw new Failure('stream-not-found', 'webrtc: stream not found');
    return entry;
  }

  /** The marks of a stream and of those it comes from through other servers, the nearest first. */
  path(id: string): string[] {
    const { mark, source } = this.require(id);
    return [mark, ...(source.report?.().pull?.path ?? [])];
  }

  /** What a live stream carries. Throws `stream-not-found` or `stream-not-live`. */
  requireLive(id: string): StreamFacts {
    const { source } = this.require(id);
    const all = this.#engine.facts(id);
    const facts = all && carried(all, source.legs?.());
    if (facts === undefined || !delivers(facts)) {
      throw new Failure('stream-not-live', 'webrtc: stream is not live', { retryAfter: retrySoon() });
    }
    return facts;
  }

  state(id: string): StreamState {
    const facts = this.#engine.facts(id);
    if (facts !== undefined && delivers(facts)) return 'live';
    const entry = this.#find(id);
    if (entry === undefined || entry.failed) return 'ended';
    const phases = [...entry.legs.values()].map((leg) => leg.phase);
    if (phases.length > 0 && phases.every((phase) => phase === 'failed')) return 'ended';
    if (phases.some((phase) => phase !== 'active')) return 'stalled';
    return performance.now() - entry.since < STARTING ? 'starting' : 'stalled';
  }

  legActive(id: string, kind: LegKind): void {
    const entry = this.#find(id);
    if (entry === undefined) return;
    const flowed = entry.flows;
    clearTimeout(entry.legs.get(kind)?.grace);
    entry.legs.set(kind, { phase: 'active' });
    if (!flowed) this.#listener.flowing(id, true);
  }

  legInactive(id: string, kind: LegKind): void {
    const entry = this.#find(id);
    const leg = entry?.legs.get(kind);
    if (entry === undefined || leg?.phase !== 'active') return;
    leg.phase = 'silent';
    if (!entry.flows) this.#listener.flowing(id, false);
    if (this.#terms.grace === 0) this.#fail(entry, kind, leg);
    else leg.grace = setTimeout(() => this.#fail(entry, kind, leg), this.#terms.grace).unref();
  }

  /** Nothing will come of it any more: its sessions end, its source stops. It stays until it is removed. */
  async fail(id: string, error: string): Promise<void> {
    const entry = this.#find(id);
    if (entry === undefined) return;
    const flowed = entry.flows;
    entry.failed = true;
    entry.warnings.add(error);
    for (const leg of entry.legs.values()) {
      leg.phase = 'failed';
      clearTimeout(leg.grace);
    }
    if (flowed) this.#listener.flowing(id, false);
    await this.#listener.over(id, 'stream-ended');
    await entry.feed.stop();
  }

  warn(id: string, warning: string): void {
    this.#find(id)?.warn(warning);
  }

  /** Removes every stream. Rejects with all that went wrong; the engine, closed afterwards, closes what is left open. */
  async close(): Promise<void> {
    this.#closed = true;
    throwFailures(await Promise.allSettled([...this.#entries.values()].map((entry) => this.#leave(entry, closing()))));
  }

  /** Begins the departure, or joins the one that is under way; `reason` is what a pending `add` rejects with. */
  #leave(entry: Entry, reason: unknown): Promise<void> {
    entry.feed.leave(reason);
    for (const leg of entry.legs.values()) clearTimeout(leg.grace);
    entry.departure ??= this.#depart(entry).catch((error: unknown) => {
      entry.departure = undefined;
      throw error;
    });
    const late = () => new Error(`stream "${entry.id}" did not end within ${PATIENCE / 1000} s`);
    return within(PATIENCE, entry.departure, late);
  }

  async #depart(entry: Entry): Promise<void> {
    const ended = await Promise.allSettled([this.#listener.over(entry.id, 'stream-removed')]);
    const closed = await Promise.allSettled([entry.feed.close()]);
    throwFailures([...ended, ...closed]);
    await this.#listener.gone(entry.id);
    this.#entries.delete(entry.id);
  }

  /** What is left of a stream that could not be added goes; the one who added it hears why it could not. */
  async #cleanUp(entry: Entry, reason: unknown): Promise<void> {
    try {
      await this.#leave(entry, reason);
    } catch (error) {
      log.error('{stream} could not be cleaned up: {error}', { stream: entry.id, error });
    }
  }

  #fail(entry: Entry, kind: LegKind, leg: Leg): void {
    leg.phase = 'failed';
    this.#listener.legFailed(entry.id, kind);
    // A leg that is still within its grace time may come back and carry the viewers on.
    if ([...entry.legs.values()].every(({ phase }) => phase === 'failed')) {
      void this.#listener.over(entry.id, 'stream-ended');
    }
  }

  #find(id: string): Entry | undefined {
    const entry = this.#entries.get(id);
    return entry?.leaving ? undefined : entry;
  }
}

function closing(): Failure {
  return new Failure('closing', 'the server is closing');
}

function exists({ id, leaving }: Entry): Failure {
  const cure = leaving ? 'it is being removed: try again when it is gone' : 'remove it first or choose another id';
  return new Failure('stream-exists', `stream "${id}" exists: ${cure}`);
}

/** Why an `add` ends that was overtaken by a `remove`. */
function removedMeanwhile(id: string): Failure {
  return new Failure('stream-not-found', `stream "${id}" was removed while it was being added`);
}

import type { CacheSpec, LegKind, MediaEngine, StreamFacts, StreamPorts } from './engine/port.ts';
import { Failure } from './errors.ts';
import { randomId } from './random.ts';
import { retrySoon } from './sessions.ts';
import type { Puller, Source } from './sources/source.ts';

/**
 * starting: nothing has arrived yet. live: at least one leg delivers. stalled: everything fell silent, or nothing ever
 * came. ended: silent for longer than the grace time, viewers are gone; a source that comes back makes it live again,
 * unless the stream has failed.
 */
export type StreamState = 'starting' | 'live' | 'stalled' | 'ended';

export interface Stream {
  readonly id: string;
  readonly source: Source;
  readonly ports: StreamPorts;
  /** `performance.now()` of its addition. */
  readonly since: number;
  /** Names it among the streams of all servers: see `Puller`. */
  readonly mark: string;
  /** What negotiations with its viewers had to put up with; the first few. */
  readonly warnings: ReadonlySet<string>;
}

/** What a stream's life means to others. */
export interface StreamListener {
  /** The first leg began to deliver, or the last one fell silent. */
  flowing(stream: string, flows: boolean): void;
  /** A leg stayed silent for the whole grace time. */
  legFailed(stream: string, leg: LegKind): void;
  /** Every leg did, or the stream is being removed: its sessions have to go. */
  over(stream: string, reason: 'stream-ended' | 'stream-removed'): Promise<void>;
}

interface Leg {
  phase: 'active' | 'silent' | 'failed';
  grace?: NodeJS.Timeout;
}

interface Entry extends Stream {
  ports: StreamPorts;
  readonly warnings: Set<string>;
  readonly legs: Map<LegKind, Leg>;
  /** Settles when the engine and the source have started, or failed to. */
  ready: Promise<void>;
  leaving: boolean;
  /** Nothing will come of it any more. */
  failed: boolean;
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
/** Each new kind of client may bring a warning of its own; these many are kept. */
const MAX_WARNINGS = 8;

/** The streams, their life and their sources. */
export class StreamTable {
  readonly #entries = new Map<string, Entry>();
  readonly #engine: MediaEngine;
  readonly #terms: StreamTerms;
  readonly #listener: StreamListener;
  readonly #puller: (stream: string, mark: string) => Puller;
  readonly #over = new AbortController();

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
   * Opens the ingress and starts the source. Rejects with `stream-exists`, `address-in-use`, `closing` or what the source
   * says.
   */
  async add(id: string, source: Source): Promise<Stream> {
    this.#requireOpen();
    if (this.#entries.has(id)) {
      throw new Failure('stream-exists', `stream "${id}" exists: remove it first or choose another id`);
    }
    const entry: Entry = {
      id,
      source,
      ports: {},
      since: performance.now(),
      mark: randomId(),
      warnings: new Set(),
      legs: new Map(),
      ready: Promise.resolve(),
      leaving: false,
      failed: false,
    };
    this.#entries.set(id, entry);
    entry.ready = this.#open(entry);
    try {
      await entry.ready;
    } catch (error) {
      this.#entries.delete(id);
      this.#requireOpen();
      throw error;
    }
    // Who closed has stopped it.
    this.#requireOpen();
    return entry;
  }

  /** Ends its sessions, stops its source, closes its ingress. False for an unknown stream. */
  async remove(id: string): Promise<boolean> {
    const entry = this.#find(id);
    if (entry === undefined) return false;
    entry.leaving = true;
    for (const leg of entry.legs.values()) clearTimeout(leg.grace);
    // Whoever added it hears of a failure to start; here only the end of the attempt matters.
    await entry.ready.catch(() => {});
    try {
      await this.#listener.over(id, 'stream-removed');
      await entry.source.stop();
    } finally {
      await this.#engine.removeStream(id);
      this.#entries.delete(id);
    }
    return true;
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
    this.require(id);
    const facts = this.#engine.facts(id);
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
    const flowed = flows(entry);
    clearTimeout(entry.legs.get(kind)?.grace);
    entry.legs.set(kind, { phase: 'active' });
    if (!flowed) this.#listener.flowing(id, true);
  }

  legInactive(id: string, kind: LegKind): void {
    const entry = this.#find(id);
    const leg = entry?.legs.get(kind);
    if (entry === undefined || leg?.phase !== 'active') return;
    leg.phase = 'silent';
    if (!flows(entry)) this.#listener.flowing(id, false);
    if (this.#terms.grace === 0) this.#fail(entry, kind, leg);
    else leg.grace = setTimeout(() => this.#fail(entry, kind, leg), this.#terms.grace).unref();
  }

  /** Nothing will come of it any more: its sessions end, its source stops. It stays until it is removed. */
  async fail(id: string, error: string): Promise<void> {
    const entry = this.#find(id);
    if (entry === undefined) return;
    const flowed = flows(entry);
    entry.failed = true;
    entry.warnings.add(error);
    for (const leg of entry.legs.values()) {
      leg.phase = 'failed';
      clearTimeout(leg.grace);
    }
    if (flowed) this.#listener.flowing(id, false);
    await this.#listener.over(id, 'stream-ended');
    await entry.source.stop();
  }

  warn(id: string, warning: string): void {
    const warnings = this.#find(id)?.warnings;
    if (warnings !== undefined && warnings.size < MAX_WARNINGS) warnings.add(warning);
  }

  /** Stops every source. The engine, closed afterwards, closes the ingresses. */
  async close(): Promise<void> {
    this.#over.abort();
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(
      entries.map(async (entry) => {
        for (const leg of entry.legs.values()) clearTimeout(leg.grace);
        await entry.ready.catch(() => {});
        await entry.source.stop();
      }),
    );
  }

  async #open(entry: Entry): Promise<void> {
    const { id, source } = entry;
    const { signal } = this.#over;
    const ingress = typeof source.ingress === 'function' ? await source.ingress(signal) : source.ingress;
    this.#requireOpen();
    const { silence, cache, burst } = this.#terms;
    entry.ports = await this.#engine.addStream({ id, ingress, silence, cache, burst });
    this.#requireOpen();
    source.pullWith?.(this.#puller(id, entry.mark));
    try {
      await source.start(id, entry.ports);
    } catch (error) {
      await this.#engine.removeStream(id);
      throw error;
    }
  }

  #requireOpen(): void {
    if (this.#over.signal.aborted) throw new Failure('closing', 'the server is closing');
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

/** A video leg counts once its profile is known: nothing could be negotiated before. */
function delivers({ video, audio }: StreamFacts): boolean {
  return (video?.active === true && video.profileLevelId !== undefined) || audio?.active === true;
}

function flows(entry: Entry): boolean {
  return [...entry.legs.values()].some((leg) => leg.phase === 'active');
}

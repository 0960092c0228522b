import { getLogger } from '@logtape/logtape';
import type { EngineEvent, MediaEngine, SessionSecurity, StreamFacts } from './engine/port.ts';
import { Failure } from './errors.ts';
import { PATIENCE } from './feed.ts';
import { type Joined, Lifecycle, type Visitor } from './lifecycle.ts';
import { Arrivals } from './live.ts';
import type { Metrics } from './metrics.ts';
import type { Settings } from './options.ts';
import { throwFailures, within } from './patience.ts';
import { Publishing } from './publishing.ts';
import { Pulls } from './pulls.ts';
import { randomId, randomSsrc } from './random.ts';
import { Refusals } from './refusals.ts';
import { negotiateWatch, type Plan } from './sdp/negotiate.ts';
import { type Offer, parseOffer } from './sdp/offer.ts';
import type { IceChecks } from './sdp/transport.ts';
import { type Ended, retrySoon, type Session, type SessionKind, SessionTable } from './sessions.ts';
import { Observer, type Snapshot } from './snapshot.ts';
import type { Source } from './sources/source.ts';
import { type Stream, type StreamListener, StreamTable } from './streams.ts';
import { trickle } from './trickle.ts';

const log = getLogger(['fetch-whep', 'hub']);
const engineLog = getLogger(['fetch-whep', 'engine']);

/** What happened, for whoever tells viewers. */
export type Notice =
  | { type: 'active' | 'inactive' | 'viewers'; stream: string }
  | { type: 'session-ended'; session: string; reason: Ended | undefined }
  | { type: 'closing' };

export interface WatchTerms extends Visitor {
  /** Every codec of the stream has to be offered. */
  complete: boolean;
  /** Ask the player for its smallest playout delay, where it offers the extension. */
  lowLatency: boolean;
}

/** The use cases. Knows neither requests nor packets. */
export class Hub {
  readonly streams: StreamTable;
  readonly sessions: SessionTable;
  readonly engine: MediaEngine;
  readonly #metrics: Metrics;
  readonly #refusals: Refusals;
  readonly #lifecycle: Lifecycle;
  readonly #publishing: Publishing;
  readonly #observer: Observer;
  readonly #arrivals: Arrivals;
  readonly #pulls: Pulls;
  readonly #strictProfiles: boolean;
  readonly #iceChecks: IceChecks;
  readonly #listeners = new Set<(notice: Notice) => void>();
  #closed: Promise<void> | undefined;

  constructor(engine: MediaEngine, settings: Settings, metrics: Metrics) {
    this.engine = engine;
    this.#metrics = metrics;
    this.#strictProfiles = settings.strictProfiles;
    this.#iceChecks = settings.iceChecks;
    this.#refusals = new Refusals(settings, metrics);
    this.sessions = new SessionTable(settings, (option, stream) => this.#refusals.add(option, stream));
    const terms = {
      grace: settings.graceSeconds * 1000,
      silence: settings.silenceSeconds * 1000,
      cache: {
        bytes: settings.cacheBytes,
        age: settings.cacheSeconds * 1000,
        instantStart: settings.instantStart,
      },
      burst: settings.burstBytes,
    };
    this.#pulls = new Pulls(engine);
    const listener: StreamListener = {
      flowing: (stream, flows) => {
        if (flows) this.#arrivals.flows(stream);
        this.#tell({ type: flows ? 'active' : 'inactive', stream });
      },
      legFailed: (stream, leg) => {
        metrics.count('whep_ffmpeg_leg_failures_total', { stream, leg });
        log.warn('leg {leg} of {stream} is silent for good', { stream, leg });
      },
      over: (stream, reason) => this.#endAll(this.sessions.of(stream), reason),
      gone: async (stream) => {
        this.#observer.forget(stream);
        this.#refusals.forget(stream);
        await metrics.forget(stream);
      },
    };
    this.streams = new StreamTable(engine, terms, listener, (stream, mark) => this.#pulls.puller(stream, mark));
    this.#arrivals = new Arrivals(engine, this.streams);
    const viewersChanged = ({ kind, stream }: Session) => {
      if (kind === 'viewer') this.#tell({ type: 'viewers', stream });
    };
    this.#lifecycle = new Lifecycle({
      engine,
      limits: settings,
      sessions: this.sessions,
      metrics,
      announce: settings.announce,
      opened: viewersChanged,
      ended: (session) => {
        this.#tell({ type: 'session-ended', session: session.id, reason: session.ended });
        viewersChanged(session);
      },
    });
    this.#publishing = new Publishing({
      engine,
      streams: this.streams,
      sessions: this.sessions,
      lifecycle: this.#lifecycle,
      silence: terms.silence,
      iceChecks: settings.iceChecks,
    });
    this.#observer = new Observer(engine, this.streams, this.sessions);
    engine.onEvents((events) => {
      for (const event of events) this.#handle(event);
    });
  }
  get closing(): boolean {
    return this.#closed !== undefined;
  }

  /** Hears of every notice until the returned function is called. */
  listen(listener: (notice: Notice) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async addStream(id: string, source: Source): Promise<Stream> {
    this.#requireOpen();
    const stream = await this.streams.add(id, source);
    log.info('stream {stream} added: {source}', { stream: id, source: source.describe(), ports: stream.ports });
    return stream;
  }

  async removeStream(id: string): Promise<boolean> {
    if (!(await this.streams.remove(id))) return false;
    log.info('stream {stream} removed', { stream: id });
    return true;
  }

  /**
   * What refuses a viewer before its offer is even read, in the order of the contract. A stream that is about to start is
   * waited for; who waits holds no place.
   */
  async admitViewer(stream: string, visitor: Visitor): Promise<void> {
    this.#requireRoom(stream);
    await this.#arrivals.wait(stream, visitor.signal);
    this.#requireWatchable(stream, visitor.client);
  }

  /** Gives a viewer its session and answer. Rejects with the failures of `sdp/`, of `admitViewer` and of the engine. */
  async watch(stream: string, sdp: string, terms: WatchTerms): Promise<Joined> {
    const offer = parseOffer(sdp, 'watch');
    // Reading the body took its time: the stream may have gone, the last place may be taken.
    const facts = this.#requireWatchable(stream, terms.client);
    const plan = this.#negotiateWatch(stream, offer, facts, terms);
    return this.#lifecycle.join('viewer', stream, offer, plan, terms);
  }

  /** Throws `stream-not-found`, `publisher-conflict`. */
  admitPublisher(stream: string): void {
    this.#requireOpen();
    this.#publishing.admit(stream);
  }

  async publish(stream: string, sdp: string, signal: AbortSignal): Promise<Joined> {
    this.#requireOpen();
    return this.#publishing.join(stream, sdp, signal);
  }

  /** A session, under its own stream and protocol alone. */
  find(kind: SessionKind, stream: string, id: string): Session | undefined {
    const session = this.sessions.get(id);
    return session?.kind === kind && session.stream === stream ? session : undefined;
  }

  /** Throws `resource-not-found`. */
  require(kind: SessionKind, stream: string, id: string): Session {
    const session = this.find(kind, stream, id);
    if (session === undefined) throw new Failure('resource-not-found', 'webrtc: no such session');
    return session;
  }

  /** Applies an ICE fragment to a session; see `trickle`. */
  trickle(session: Session, body: string, precondition: (tag: string) => void): Promise<void> {
    return trickle(this.#iceChecks === 'both' ? this.engine : undefined, session, body, precondition);
  }

  /** Ends a session; resolves when its media has stopped. */
  async leave(session: Session): Promise<void> {
    await this.#lifecycle.end(session, 'left');
  }

  snapshot(): Snapshot {
    return this.#observer.snapshot();
  }

  /**
   * Refuses new work, ends every session, stops sources and engine; idempotent. Each of them is tried whatever becomes of
   * the others; rejects with what went wrong, an `AggregateError` when it is more than one thing.
   */
  close(): Promise<void> {
    this.#closed ??= Promise.resolve().then(() => this.#close());
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#arrivals.close();
    this.#tell({ type: 'closing' });
    const ended = await Promise.allSettled([this.#endAll([...this.sessions], 'server-closing'), this.streams.close()]);
    const late = () => new Error(`the engine did not close within ${PATIENCE / 1000} s`);
    const closed = await Promise.allSettled([within(PATIENCE, this.engine.close(), late)]);
    throwFailures([...ended, ...closed]);
  }

  #negotiateWatch(stream: string, offer: Offer, facts: StreamFacts, terms: WatchTerms): Plan {
    try {
      const plan = negotiateWatch(offer, facts, {
        complete: terms.complete,
        ssrc: randomSsrc,
        cname: randomId(),
        // RFC 8830 §2: an identifier has at most 64 characters.
        msid: stream.slice(0, 64),
        playoutDelay: terms.lowLatency,
        strictProfiles: this.#strictProfiles,
        iceChecks: this.#iceChecks,
      });
      if (plan.profileMismatch) this.#metrics.count('whep_profile_mismatches_total', { stream });
      for (const warning of plan.warnings) this.streams.warn(stream, warning);
      return plan;
    } catch (error) {
      if (error instanceof Failure) {
        for (const warning of error.facts.warnings ?? []) this.streams.warn(stream, warning);
        for (const codec of error.facts.missing ?? []) {
          this.#metrics.count('whep_codec_mismatches_total', { stream, kind: codec.toLowerCase() });
        }
      }
      throw error;
    }
  }

  async #endAll(sessions: Session[], reason: Ended): Promise<void> {
    await Promise.all(sessions.map((session) => this.#lifecycle.end(session, reason)));
  }

  #handle(event: EngineEvent): void {
    const session = 'session' in event ? this.sessions.get(event.session) : undefined;
    switch (event.type) {
      case 'session-connected':
        if (session) this.#connected(session, event);
        else this.#pulls.connected(event.session);
        break;
      case 'session-ended':
        if (session) void this.#lifecycle.end(session, event.reason);
        else this.#pulls.ended(event.session, event.reason);
        break;
      case 'leg-active':
        this.streams.legActive(event.stream, event.leg);
        break;
      case 'leg-inactive':
        this.streams.legInactive(event.stream, event.leg);
        break;
      case 'stream-failed':
        void this.#fail(event.stream, event.text);
        break;
      case 'warning':
        engineLog.warn('{stream}: {text}', { stream: event.stream, text: event.text });
        break;
      case 'log':
        engineLog[event.level]('{text}', { text: event.text });
    }
  }

  #connected(session: Session, security: SessionSecurity): void {
    this.#lifecycle.connected(session, security);
    if (session.kind === 'publisher') this.#publishing.connected(session);
  }

  async #fail(stream: string, text: string): Promise<void> {
    engineLog.error('{stream} has ended: {text}', { stream, text });
    try {
      await this.streams.fail(stream, text);
    } catch (error) {
      log.error('the source of {stream} could not be stopped: {error}', { stream, error });
    }
  }

  #requireRoom(stream: string): void {
    this.#requireOpen();
    this.#lifecycle.waiting.makeRoom(stream, this.sessions.viewersOf(stream));
    this.sessions.checkTotal();
  }

  #requireWatchable(stream: string, client: string): StreamFacts {
    this.#requireRoom(stream);
    const facts = this.streams.requireLive(stream);
    this.sessions.checkStream(stream);
    if (client !== '') this.#lifecycle.waiting.check(stream, client);
    return facts;
  }

  #requireOpen(): void {
    if (this.closing) throw new Failure('closing', 'the server is closing', { retryAfter: retrySoon() });
  }

  #tell(notice: Notice): void {
    for (const listener of this.#listeners) listener(notice);
  }
}

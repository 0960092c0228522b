import { getLogger } from '@logtape/logtape';
import type { MediaEngine, SessionSecurity, SessionTotals } from './engine/port.ts';
import { Failure } from './errors.ts';
import type { Metrics } from './metrics.ts';
import { unlessAborted, within } from './patience.ts';
import { writeAnswer } from './sdp/answer.ts';
import type { Plan } from './sdp/negotiate.ts';
import { type Offer, offerCredentials } from './sdp/offer.ts';
import { type Ended, retrySoon, type Session, type SessionKind, type SessionTable } from './sessions.ts';
import { Turns } from './turns.ts';
import { type WaitingLimits, WaitingRoom } from './waiting.ts';

const log = getLogger(['fetch-whep', 'session']);

/** Sessions that have neither ICE nor DTLS after this long are reaped. Milliseconds. */
const SETUP_TIME = 15_000;
/** How long the engine may take for its local description, or to end a session. Milliseconds. */
const ENGINE_TIME = 10_000;

/** Ends that say nothing about the way a session was set up. */
const ORDERLY = new Set<Ended>([
  ...(['left', 'replaced', 'codec-changed', 'stream-ended', 'stream-removed', 'server-closing'] as const),
]);

export interface Joined {
  session: Session;
  answer: string;
}

/** Who wants a session. */
export interface Visitor {
  /** What tells it from others; empty when nobody can. */
  client: string;
  /** Aborts when the client went away. */
  signal: AbortSignal;
}

export interface LifecycleParts {
  engine: MediaEngine;
  limits: WaitingLimits;
  sessions: SessionTable;
  metrics: Metrics;
  /** Further addresses of this server, for the answers. */
  announce: readonly string[];
  opened(session: Session): void;
  ended(session: Session): void;
}

/** A session from the place it takes to the place it gives back. */
export class Lifecycle {
  readonly #parts: LifecycleParts;
  /** Viewers that are not connected yet. */
  readonly waiting: WaitingRoom;
  readonly #turns = new Turns(ENGINE_TIME);

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
    this.waiting = new WaitingRoom(parts.limits, (session) => void this.end(session, 'setup-timeout'));
  }

  /** Takes a place, has the engine make the peer, writes the answer. A failure gives the place back. */
  async join(kind: SessionKind, stream: string, offer: Offer, plan: Plan, visitor: Visitor): Promise<Joined> {
    const { client, signal } = visitor;
    const session = this.#parts.sessions.open({
      kind,
      stream,
      client,
      // Copies: a string cut from the offer keeps all of it in memory.
      ...structuredClone({
        remote: offerCredentials(offer),
        mid: plan.tag,
        candidates: new Set(plan.remote.candidates.map(({ ip, port }) => `${ip} ${port}`)),
      }),
    });
    if (kind === 'viewer') this.waiting.add(session);
    this.#parts.opened(session);
    try {
      const answer = await this.#makePeer(session, plan, signal);
      if (session.state === 'setup') {
        session.deadline = setTimeout(() => void this.end(session, 'setup-timeout'), SETUP_TIME).unref();
        this.waiting.answered(session);
      }
      log.info('{kind} {session} joined {stream}', logged(session));
      return { session, answer };
    } catch (error) {
      // An engine that is stuck is not waited for again.
      void this.end(session, signal.aborted ? 'aborted' : 'engine-error');
      throw error;
    }
  }

  connected(session: Session, security: SessionSecurity): void {
    const { srtpProfile, dtlsVersion } = security;
    session.security = { ...(srtpProfile && { srtpProfile }), ...(dtlsVersion && { dtlsVersion }) };
    this.#parts.metrics.count('whep_sessions_secured_total', {
      profile: srtpProfile ?? 'unknown',
      dtls: dtlsVersion ?? 'unknown',
    });
    session.state = 'connected';
    session.connectedAt = performance.now();
    this.waiting.delete(session);
    clearTimeout(session.deadline);
  }

  /** Gives the place back at once; resolves when the media has stopped. A session that is gone stays gone. */
  async end(session: Session, reason: Ended): Promise<void> {
    const { engine, sessions, metrics } = this.#parts;
    if (!sessions.remove(session)) return;
    this.waiting.delete(session);
    session.ended = reason;
    clearTimeout(session.deadline);
    metrics.count('whep_sessions_ended_total', { reason });
    if (session.state === 'setup' && !ORDERLY.has(reason)) {
      metrics.count('whep_session_setup_failures_total', { reason });
    }
    const seconds = Math.round(performance.now() - session.since) / 1000;
    this.#parts.ended(session);
    let totals: SessionTotals | undefined;
    try {
      totals = await inTime(engine.removeSession(session.id));
    } catch (error) {
      log.error('{session} could not be ended in the engine: {error}', { ...logged(session), error });
    }
    logEnd(session, reason, seconds, totals);
  }

  /** A stream's publishers come one after the other, unless the engine is stuck: it feeds the stream from the newest. */
  #inTurn<T>({ kind, stream }: Session, work: () => Promise<T>): Promise<T> {
    if (kind === 'viewer') return work();
    return this.#turns.take(stream, work);
  }

  async #makePeer(session: Session, plan: Plan, signal: AbortSignal): Promise<string> {
    const { engine, sessions, announce } = this.#parts;
    const spec = { id: session.id, stream: session.stream, offer: plan.offer, media: plan.media };
    const peer = this.#inTurn(session, async () => {
      // It may have ended before its turn came.
      if (!sessions.has(session)) throw endedFailure(session.ended);
      return session.kind === 'viewer' ? engine.addViewer(spec) : engine.addPublisher(spec);
    });
    let answer: string;
    try {
      answer = writeAnswer(plan, await inTime(unlessAborted(peer, signal)), announce);
    } catch (error) {
      // The engine may still finish what nobody waits for any more.
      peer.then(() => engine.removeSession(session.id)).catch(() => {});
      throw session.ended === undefined ? setUpFailure(error, signal) : endedFailure(session.ended);
    }
    if (sessions.has(session)) return answer;
    // It ended before there was a peer to end.
    await inTime(engine.removeSession(session.id));
    throw endedFailure(session.ended);
  }
}

/** The one line about a session's end, with what it carried, as far as that is known. */
function logEnd(session: Session, reason: Ended, seconds: number, totals: SessionTotals | undefined): void {
  const { bytes = 0, lossRatio } = totals ?? {};
  const properties = { ...logged(session), reason, seconds, bytes, lossRatio };
  const loss = lossRatio === undefined ? 'loss not reported' : `${(lossRatio * 100).toFixed(2)} % lost`;
  log.info(`{kind} {session} left {stream}: {reason} after {seconds} s, {bytes} bytes, ${loss}`, properties);
}

/** What identifies a session in a log: not the whole id, which is a capability. */
function logged({ kind, id, stream }: Session): Record<string, string> {
  return { kind, session: id.slice(0, 8), stream };
}

/** What the engine gives, unless it takes too long. */
function inTime<T>(work: Promise<T>): Promise<T> {
  return within(ENGINE_TIME, work, () => new Failure('engine-timeout', 'create peer: timed out'));
}

/** Why a session that ended while it was being set up did. */
function endedFailure(reason: Ended | undefined): Failure {
  switch (reason) {
    case 'server-closing':
      return new Failure('closing', 'the server is closing', { retryAfter: retrySoon() });
    case 'replaced':
      return new Failure('publisher-conflict', 'webrtc: another publisher has taken over', { retryAfter: retrySoon() });
    case 'stream-removed':
      return new Failure('stream-not-found', 'webrtc: stream not found');
    case 'codec-changed':
      return new Failure('stream-not-live', 'webrtc: the codec of the stream has just changed', {
        retryAfter: retrySoon(),
      });
    case 'stream-ended':
      return new Failure('stream-not-live', 'webrtc: stream is not live', { retryAfter: retrySoon() });
    default:
      return new Failure('engine-failed', 'create peer: the session ended while it was being set up');
  }
}

/** The client learns what happened, the log why. */
function setUpFailure(cause: unknown, { aborted }: AbortSignal): Failure {
  if (aborted) return new Failure('engine-failed', 'create peer: the client went away');
  const known =
    cause instanceof Failure && (cause.code === 'invalid-offer' || cause.message.startsWith('create peer:'));
  if (known) return cause;
  const timedOut = cause instanceof Failure && cause.code === 'engine-timeout';
  return timedOut
    ? new Failure('engine-timeout', 'create peer: timed out', { cause })
    : new Failure('engine-failed', 'create peer: the engine could not make the session', { cause });
}

import type { EndReason, SessionSecurity } from './engine/port.ts';
import { Failure } from './errors.ts';
import { randomId } from './random.ts';

export type SessionKind = 'viewer' | 'publisher';

export type Ended = EndReason | 'left' | 'replaced' | 'aborted' | 'stream-ended' | 'stream-removed' | 'server-closing';

/** The HTTP resource of one viewer or publisher. Written by the hub alone. */
export interface Session {
  /** A capability: who knows it may trickle and leave. */
  readonly id: string;
  readonly kind: SessionKind;
  readonly stream: string;
  /** What tells its client from others; empty when nobody can. */
  readonly client: string;
  /** `performance.now()` of its POST. */
  readonly since: number;
  state: 'setup' | 'connected';
  /** `performance.now()` of the moment from which media could flow. */
  connectedAt?: number;
  /** What DTLS has negotiated, from then on. */
  security?: SessionSecurity;
  /** ICE generation, part of the entity tag. */
  readonly generation: number;
  /** The client's ICE credentials, of each line: a fragment with others asks for a restart (RFC 8840 §4.4). */
  readonly remote: readonly { readonly ufrag: string; readonly pwd: string }[];
  /** The mid that a candidate without one belongs to: that of the BUNDLE transport. */
  readonly mid: string;
  /** Addresses and ports of the remote candidates seen so far: with these two alike, a candidate is a repeat. */
  readonly candidates: Set<string>;
  /** Why it ended, once it has. */
  ended?: Ended;
  /** Ends a session that never connects. */
  deadline?: NodeJS.Timeout;
}

export type NewSession = Pick<Session, 'kind' | 'stream' | 'client' | 'remote' | 'mid' | 'candidates'>;

export interface ViewerLimits {
  readonly maxViewers: number;
  readonly maxViewersPerStream: number;
}

/** Strong entity tag of the session's ICE generation (draft-ietf-wish-whep-04 §4.5.1). */
export function entityTag(session: Session): string {
  return `"${session.id}-${session.generation}"`;
}

/**
 * Sessions and capacity. A viewer takes its place when it is opened and gives it back when it is removed; both are
 * synchronous, so no burst of requests can pass a cap.
 */
export class SessionTable {
  readonly #sessions = new Map<string, Session>();
  readonly #viewers = new Map<string, number>();
  readonly #limits: ViewerLimits;
  readonly #refused: (option: keyof ViewerLimits, stream: string) => void;
  #total = 0;

  /** `refused` hears of every viewer that a cap kept out. */
  constructor(limits: ViewerLimits, refused: (option: keyof ViewerLimits, stream: string) => void) {
    this.#limits = limits;
    this.#refused = refused;
  }

  /** Throws `peer-cap`. */
  checkTotal(): void {
    if (this.#total < this.#limits.maxViewers) return;
    this.#refused('maxViewers', '');
    throw new Failure('peer-cap', 'webrtc: peer cap reached', { retryAfter: retrySoon() });
  }

  /** Throws `stream-peer-cap`. */
  checkStream(stream: string): void {
    if (this.viewersOf(stream) < this.#limits.maxViewersPerStream) return;
    this.#refused('maxViewersPerStream', stream);
    throw new Failure('stream-peer-cap', 'webrtc: per-stream peer cap reached', { retryAfter: retrySoon() });
  }

  /** Takes a place. Throws `peer-cap`, `stream-peer-cap`; a publisher needs no place. */
  open(terms: NewSession): Session {
    if (terms.kind === 'viewer') {
      this.checkTotal();
      this.checkStream(terms.stream);
      this.#count(terms.stream, 1);
    }
    const session: Session = { ...terms, id: randomId(), since: performance.now(), state: 'setup', generation: 1 };
    this.#sessions.set(session.id, session);
    return session;
  }

  /** Gives the place back. False when the session was gone already. */
  remove(session: Session): boolean {
    if (!this.#sessions.delete(session.id)) return false;
    if (session.kind === 'viewer') this.#count(session.stream, -1);
    return true;
  }

  get(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  has(session: Session): boolean {
    return this.#sessions.has(session.id);
  }

  /** The sessions of one stream. */
  of(stream: string): Session[] {
    return [...this.#sessions.values()].filter((session) => session.stream === stream);
  }

  /** Of one stream, in the order in which they came. */
  publishersOf(stream: string): Session[] {
    return this.of(stream).filter(({ kind }) => kind === 'publisher');
  }

  viewersOf(stream: string): number {
    return this.#viewers.get(stream) ?? 0;
  }

  get viewers(): number {
    return this.#total;
  }

  get publishers(): number {
    return this.#sessions.size - this.#total;
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#sessions.values();
  }

  #count(stream: string, change: 1 | -1): void {
    const viewers = this.viewersOf(stream) + change;
    if (viewers === 0) this.#viewers.delete(stream);
    else this.#viewers.set(stream, viewers);
    this.#total += change;
  }
}

/** Seconds, spread so that refused clients do not come back all at once. */
export function retrySoon(): number {
  return 2 + Math.floor(Math.random() * 4);
}

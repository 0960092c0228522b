import { Failure } from './errors.ts';
import { retrySoon, type Session } from './sessions.ts';

/** Who has had this long to connect makes room for who comes. Milliseconds. */
const FAIR_WAIT = 5000;
/** Viewers past the fair wait, in all and of one client. */
const ROOM = 64;
const ROOM_OF_CLIENT = 16;

export interface WaitingLimits {
  readonly maxViewers: number;
  readonly maxViewersPerStream: number;
}

/**
 * The viewers that have a place and no ICE yet. Offers cost their senders nothing, so these places have bounds of their
 * own: what never connects keeps nobody out for longer than the fair wait.
 */
export class WaitingRoom {
  /** And since when they have their answer (`performance.now()`), the oldest first; those without are the engine's to make. */
  readonly #waiting = new Map<Session, number>();
  readonly #limits: WaitingLimits;
  readonly #end: (session: Session) => void;

  /** `end` gives the place of a session back before it returns. */
  constructor(limits: WaitingLimits, end: (session: Session) => void) {
    this.#limits = limits;
    this.#end = end;
  }

  add(session: Session): void {
    this.#waiting.set(session, Number.POSITIVE_INFINITY);
  }

  /** The client has its answer: from now on it is for it to connect. */
  answered(session: Session): void {
    if (!this.#waiting.delete(session)) return;
    this.#waiting.set(session, performance.now());
  }

  delete(session: Session): void {
    this.#waiting.delete(session);
  }

  /** Makes room for one more viewer of a stream, which has `viewers` of them. */
  makeRoom(stream: string, viewers: number): void {
    const ofStream = (session: Session) => session.stream === stream;
    this.#shrink(() => true, ROOM);
    if (viewers >= this.#limits.maxViewersPerStream) this.#shrink(ofStream, this.#count(ofStream));
  }

  /**
   * Throws `setup-cap` while a client has too many viewers that are connecting: its share lets a crowd behind one address in,
   * and leaves places to others.
   */
  check(stream: string, client: string): void {
    const { maxViewers, maxViewersPerStream } = this.#limits;
    const ofClient = (session: Session) => session.client === client;
    this.#shrink(ofClient, ROOM_OF_CLIENT);
    const all = this.#count(ofClient);
    const here = this.#count((session) => ofClient(session) && session.stream === stream);
    if (all < Math.max(ROOM_OF_CLIENT, maxViewers / 8) && here < Math.max(1, maxViewersPerStream / 2)) return;
    throw new Failure('setup-cap', 'webrtc: too many viewers of this client are connecting', {
      retryAfter: retrySoon(),
    });
  }

  /** Ends the oldest until there are fewer than `room`, unless they came just now. */
  #shrink(which: (session: Session) => boolean, room: number): void {
    let excess = this.#count(which) - room + 1;
    const fair = performance.now() - FAIR_WAIT;
    for (const [session, since] of this.#waiting) {
      if (excess <= 0) return;
      if (since > fair || !which(session)) continue;
      this.#end(session);
      excess--;
    }
  }

  #count(which: (session: Session) => boolean): number {
    let count = 0;
    for (const session of this.#waiting.keys()) if (which(session)) count++;
    return count;
  }
}

import { ahead } from './rtp.ts';

/** How long a gap may wait for its packet. Milliseconds. */
const PATIENCE = 40;
/** Packets held behind a gap, at most. */
const WINDOW = 256;
/** A number further than this from the next one is a jump, not late or early (RFC 3550 §A.1). */
const MAX_JUMP = 3_000;

/** Where packets go, in order. */
export interface OrderOutput<T> {
  packet(packet: T): void;
  /** This many never came. */
  lost(count: number): void;
  /** The numbering starts anew. */
  restart(): void;
}

/** Puts a leg's packets back into order: a small window, bounded in packets and time. */
export class Reorder<T> {
  readonly #out: OrderOutput<T>;
  readonly #held = new Map<number, T>();
  /** Extended number that comes next; its lower 16 bits are the packet's. */
  #next: number | undefined;
  #waitingSince = 0;
  /** What would confirm a jump. */
  #afterStray: number | undefined;
  #resumed = false;

  constructor(out: OrderOutput<T>) {
    this.#out = out;
  }

  /** Forgets everything: the next packet is the first. */
  reset(): void {
    this.#held.clear();
    this.#next = undefined;
    this.#afterStray = undefined;
  }

  /** A long silence ends with the next packet: if its number is not ahead by little, the numbering starts anew. */
  resume(): void {
    this.#resumed = true;
  }

  /** Takes a packet; the result says why it went nowhere. */
  push(sequence: number, packet: T, now: number): 'late' | 'stray' | undefined {
    const next = this.#next;
    if (next === undefined) {
      this.#out.packet(packet);
      this.#next = sequence + 1;
      return undefined;
    }
    const distance = ahead(sequence, next);
    const resumed = this.#resumed;
    this.#resumed = false;
    if (Math.abs(distance) > MAX_JUMP || (resumed && distance < 0)) {
      const confirmed = resumed || this.#afterStray === sequence;
      this.#afterStray = (sequence + 1) & 0xffff;
      if (!confirmed) return 'stray';
      this.reset();
      this.#out.restart();
      return this.push(sequence, packet, now);
    }
    this.#afterStray = undefined;
    if (distance < 0 || this.#held.has(next + distance)) return 'late';
    if (this.#held.size === 0) this.#waitingSince = now;
    this.#held.set(next + distance, packet);
    if (distance === 0) this.#release(now);
    else if (this.#held.size > WINDOW) this.#skipGap(now);
    return undefined;
  }

  /** Gives up a gap whose time is over. */
  poll(now: number): void {
    while (this.#held.size > 0 && now - this.#waitingSince >= PATIENCE) this.#skipGap(now);
  }

  #skipGap(now: number): void {
    const first = Math.min(...this.#held.keys());
    this.#out.lost(first - (this.#next ?? first));
    this.#next = first;
    this.#release(now);
  }

  /** Hands out what directly follows, and begins to wait for the next gap. */
  #release(now: number): void {
    for (let next = this.#next ?? 0; ; next++) {
      const packet = this.#held.get(next);
      this.#next = next;
      if (packet === undefined) break;
      this.#held.delete(next);
      this.#out.packet(packet);
    }
    this.#waitingSince = now;
  }
}

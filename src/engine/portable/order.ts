import { ahead } from './rtp.ts';

/** How long a gap may wait for its packet. Milliseconds. */
const PATIENCE = 40;
/** Packets held behind a gap, at most. */
const WINDOW = 256;
/** A number further than this from the next one is a jump, not late or early (RFC 3550 §A.1). */
const MAX_JUMP = 3_000;
/**
 * So many packets behind the next one, in order and over such a time, or nothing else for so long: the sender began
 * anew. Milliseconds.
 */
const LATE_IN_ORDER = 16;
const LATE_FOR = 200;
const LATE_ONLY = 2_000;

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
  /** Numbers not yet reached that carry nothing. */
  readonly #empty = new Set<number>();
  /** Packets behind the next one, with none between them that was not. */
  #late: { since: number; next: number; inOrder: number } | undefined;
  #resumed = false;

  constructor(out: OrderOutput<T>) {
    this.#out = out;
  }

  /** Forgets everything: the next packet is the first. */
  reset(): void {
    this.#held.clear();
    this.#empty.clear();
    this.#next = undefined;
    this.#afterStray = undefined;
    this.#late = undefined;
    this.#resumed = false;
  }

  /** A long silence ends with the next packet: if its number is not ahead by little, the numbering starts anew. */
  resume(): void {
    this.#resumed = true;
  }

  /** The packet of this number is not for this leg, and not missing either. */
  passOver(sequence: number, now: number): void {
    if (this.#next === undefined) return;
    const distance = ahead(sequence, this.#next);
    if (distance < 0 || distance >= WINDOW) return;
    this.#empty.add(this.#next + distance);
    if (distance === 0 && this.#held.size > 0) this.#release(now);
  }

  /** Takes a packet; the result says why it went nowhere. */
  push(sequence: number, packet: T, now: number): 'late' | 'stray' | undefined {
    if (this.#next === undefined) {
      this.#out.packet(packet);
      this.#next = sequence + 1;
      return undefined;
    }
    const distance = ahead(sequence, this.#next);
    const resumed = this.#resumed;
    this.#resumed = false;
    const jump = Math.abs(distance) > MAX_JUMP;
    if (jump || distance < 0) {
      const anew = jump ? this.#isConfirmed(sequence) : this.#isBeginning(sequence, now);
      if (!anew && !resumed) return jump ? 'stray' : 'late';
      this.reset();
      this.#out.restart();
      return this.push(sequence, packet, now);
    }
    this.#afterStray = undefined;
    this.#late = undefined;
    const number = this.#next + distance;
    if (this.#held.has(number)) return 'late';
    if (this.#held.size === 0) this.#waitingSince = now;
    this.#held.set(number, packet);
    if (this.#passEmpty(number) === number) this.#release(now);
    else if (this.#held.size > WINDOW) this.#skipGap(now);
    return undefined;
  }

  /** Gives up a gap whose time is over. */
  poll(now: number): void {
    while (this.#held.size > 0 && now - this.#waitingSince >= PATIENCE) this.#skipGap(now);
  }

  /** Of two packets far away in a row the second shows that the numbers have jumped. */
  #isConfirmed(sequence: number): boolean {
    const confirmed = this.#afterStray === sequence;
    this.#afterStray = (sequence + 1) & 0xffff;
    return confirmed;
  }

  /** Late packets are overtaken ones or repetitions, and others come between them. */
  #isBeginning(sequence: number, now: number): boolean {
    this.#afterStray = undefined;
    const { since, next, inOrder } = this.#late ?? { since: now, next: sequence, inOrder: 0 };
    const run = sequence === next ? inOrder + 1 : 1;
    this.#late = { since, next: (sequence + 1) & 0xffff, inOrder: run };
    return now - since >= LATE_ONLY || (now - since >= LATE_FOR && run >= LATE_IN_ORDER);
  }

  /** Passes over what carries nothing before `end`; gives the number that comes next. */
  #passEmpty(end: number): number {
    let next = this.#next ?? end;
    while (next < end && this.#empty.delete(next)) next++;
    this.#next = next;
    return next;
  }

  #skipGap(now: number): void {
    const first = Math.min(...this.#held.keys());
    const next = this.#next ?? first;
    const empty = [...this.#empty].filter((number) => number >= next && number < first).length;
    this.#out.lost(first - next - empty);
    this.#next = first;
    this.#release(now);
  }

  /** Hands out what directly follows, and begins to wait for the next gap. */
  #release(now: number): void {
    while (this.#held.size > 0) {
      const next = this.#next ?? 0;
      const packet = this.#held.get(next);
      if (packet === undefined && !this.#empty.delete(next)) break;
      this.#held.delete(next);
      this.#next = next + 1;
      if (packet !== undefined) this.#out.packet(packet);
    }
    this.#waitingSince = now;
    for (const number of this.#empty) if (number < (this.#next ?? 0)) this.#empty.delete(number);
  }
}

import type { LegKind } from '../port.ts';
import { milliseconds, type Ntp, TICKS } from './time.ts';

/**
 * A step that falls short of the time that passed by more than this is a restart of the source's clock: the network may
 * have held packets back. One that is ahead of it by less as well: nothing comes before its time. Milliseconds.
 */
const MAX_SHORT = 3_000;
const MAX_AHEAD = 1_000;
/** The first outgoing time stamp: far from zero, so that earlier moments have time stamps too. */
const ORIGIN = 2 ** 40;

/** Maps a leg's 32-bit time stamps to ones that go on over wraps, jumps and restarts. Times in milliseconds. */
export class Timeline {
  readonly #ticks: number;
  #anchor: { source: number; out: number; arrival: number } | undefined;
  #restarted = false;

  constructor(kind: LegKind) {
    this.#ticks = TICKS[kind];
  }

  /** The source begins anew: its next time stamp continues where the clock stands by then. */
  restart(): void {
    this.#restarted = true;
  }

  map(source: number, now: number): { timestamp: number; jumped: boolean } {
    const restarted = this.#restarted;
    this.#restarted = false;
    const anchor = this.#anchor;
    if (anchor === undefined) {
      this.#anchor = { source, out: ORIGIN, arrival: now };
      return { timestamp: ORIGIN, jumped: false };
    }
    const step = (source - anchor.source) | 0;
    const passed = Math.round((now - anchor.arrival) * this.#ticks);
    const ahead = (step - passed) / this.#ticks;
    const jumped = restarted || ahead > MAX_AHEAD || -ahead > MAX_SHORT;
    const out = anchor.out + (jumped ? Math.max(1, passed) : step);
    // Packets of one frame, and B-frames, must not move the anchor back.
    if (jumped || step > 0) this.#anchor = { source, out, arrival: now };
    return { timestamp: out, jumped };
  }

  /** The outgoing time stamp of a moment near the newest packet; undefined before the first. */
  project(source: number): number | undefined {
    if (this.#anchor === undefined || this.#restarted) return undefined;
    return this.#anchor.out + ((source - this.#anchor.source) | 0);
  }
}

/** Legs whose wall clocks differ by more than this do not share one. Milliseconds. */
const SAME_CLOCK = 2_000;

interface LegClock {
  report: { wall: number; timestamp: number } | undefined;
  /** Smallest arrival minus capture, by the report's wall clock. */
  shift: Minimum;
  /** Smallest arrival minus media time, for a leg without reports. */
  arrival: Minimum;
}

/**
 * One clock for both legs, so that picture and sound stay in step. The source's sender reports map media time to its
 * wall clock; the smallest difference between arrival and capture shifts that to ours.
 */
export class StreamClock {
  readonly #legs: Record<LegKind, LegClock> = { video: newLeg(), audio: newLeg() };

  /** A source says when `timestamp`, already on the outgoing line, was captured. */
  report(kind: LegKind, ntp: Ntp, timestamp: number): void {
    const wall = milliseconds(ntp);
    // Who has no clock says zero (RFC 3550 §6.4.1), or always the same.
    const { report } = this.#legs[kind];
    if (wall > 0 && report?.wall !== wall) this.capture(kind, wall, timestamp);
  }

  /** The same in milliseconds of any wall clock that both legs share. */
  capture(kind: LegKind, wall: number, timestamp: number): void {
    this.#legs[kind].report = { wall, timestamp };
  }

  restart(kind: LegKind): void {
    this.#legs[kind] = newLeg();
  }

  /** A frame arrived. */
  observe(kind: LegKind, timestamp: number, now: number): void {
    const { report, shift, arrival } = this.#legs[kind];
    arrival.observe(now - timestamp / TICKS[kind], now);
    if (report) shift.observe(now - report.wall - (timestamp - report.timestamp) / TICKS[kind], now);
  }

  /** The media time that is captured at `now`; undefined before the leg's first frame. */
  at(kind: LegKind, now: number): number | undefined {
    const { report, shift, arrival } = this.#legs[kind];
    const own = shift.value;
    if (report === undefined || own === undefined) {
      return arrival.value === undefined ? undefined : Math.round((now - arrival.value) * TICKS[kind]);
    }
    const other = this.#legs[kind === 'video' ? 'audio' : 'video'].shift.value;
    const joint = other !== undefined && Math.abs(other - own) < SAME_CLOCK ? Math.min(other, own) : own;
    return report.timestamp + Math.round((now - joint - report.wall) * TICKS[kind]);
  }
}

function newLeg(): LegClock {
  return { report: undefined, shift: new Minimum(), arrival: new Minimum() };
}

/** The minimum is taken over one to two of these, so that a slow drift of the source's clock is followed. Milliseconds. */
const WINDOW = 10_000;

class Minimum {
  #current: number | undefined;
  #previous: number | undefined;
  #since = 0;

  observe(value: number, now: number): void {
    if (this.#current !== undefined && now - this.#since >= WINDOW) {
      this.#previous = this.#current;
      this.#current = undefined;
    }
    if (this.#current === undefined) this.#since = now;
    this.#current = Math.min(value, this.#current ?? value);
  }

  get value(): number | undefined {
    if (this.#current === undefined || this.#previous === undefined) return this.#current ?? this.#previous;
    return Math.min(this.#current, this.#previous);
  }
}

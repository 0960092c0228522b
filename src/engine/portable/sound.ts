import type { Buffer } from 'node:buffer';
import type { Opus } from './opus.ts';

/** What comes instead of Opus. */
export type Codec = 'AAC' | 'G.711' | 'G.722' | 'L16' | 'MPEG audio' | 'unknown';

/** An AAC frame lasts 1024 samples (ISO 14496-3 §4.5.1.1), and a packet may hold several; no Opus packet lasts that. */
const AAC_STEP = 1_024;
/** Opus packets last multiples of this: 2.5 ms (RFC 6716 §2.1.4). */
const OPUS_STEP = 120;
/** So many in a row are no accident. */
const STEPS = 10;
/**
 * What a packet that cannot be Opus counts against one that can, and how much is no accident: bytes of another codec make
 * sense as Opus about every other time.
 */
const IMPOSSIBLE = 4;
const ENOUGH = 40;
/** A packet with no more bytes says that nothing is said: the next may come much later (RFC 6716 §2.1.9). */
const SILENT = 2;

/** What static payload types say (RFC 3551 table 4); those up to 18 that are not here are sound of another kind. */
const STATIC: Readonly<Record<number, Codec>> = {
  0: 'G.711',
  8: 'G.711',
  9: 'G.722',
  10: 'L16',
  11: 'L16',
  14: 'MPEG audio',
};
const LAST_STATIC = 18;

interface Last {
  timestamp: number;
  step: number;
  /** Ticks; 0 of what is no Opus. */
  duration: number;
  silent: boolean;
}

/** What the newest packets of a sound leg say of the next, beside their bytes: whether they are Opus at all. */
export class Sound {
  #last: Last | undefined;
  /** Consecutive steps of an AAC frame, and consecutive equal ones that no Opus packet makes. */
  #aacSteps = 0;
  #oddSteps = 0;
  #impossible = 0;
  #isOther = false;

  /** The newest packet leads into silence. */
  get isSilent(): boolean {
    return this.#last?.silent ?? false;
  }

  /**
   * Takes note of a packet; tells what it is when it is part of something else than Opus. `payloadType`: where nobody
   * has negotiated what it means.
   */
  examine(packet: Buffer, opus: Opus | undefined, timestamp: number, payloadType?: number): Codec | undefined {
    const before = this.#last;
    const step = before === undefined ? 0 : (timestamp - before.timestamp) >>> 0;
    this.#last = { timestamp, step, duration: opus?.duration ?? 0, silent: packet.length <= SILENT };
    this.#watchSteps(step, before);
    this.#watchBytes(opus, step, before?.duration ?? 0);
    if (payloadType !== undefined && payloadType <= LAST_STATIC) return STATIC[payloadType] ?? 'unknown';
    if (this.#aacSteps >= STEPS) return 'AAC';
    return this.#oddSteps >= STEPS || this.#isOther ? 'unknown' : undefined;
  }

  #watchSteps(step: number, before: Last | undefined): void {
    const odd = step > 0 && step % OPUS_STEP !== 0;
    this.#aacSteps = odd && step % AAC_STEP === 0 ? this.#aacSteps + 1 : 0;
    // The stamps of a clock that runs a little fast are odd too.
    const lasted = before?.duration ?? 0;
    const off = Math.abs(step - lasted) > lasted / 10;
    this.#oddSteps = odd && off && before?.step === step ? this.#oddSteps + 1 : 0;
  }

  /** Stamps jitter, and durations change now and then; in the bytes of another codec nothing fits. */
  #watchBytes(opus: Opus | undefined, step: number, lasted: number): void {
    const changed = opus !== undefined && opus.duration !== lasted;
    const overlaps = changed && step > 0 && step < 2 ** 31 && lasted > 2 * step;
    this.#impossible =
      opus !== undefined && !overlaps
        ? Math.max(0, this.#impossible - 1)
        : Math.min(2 * ENOUGH, this.#impossible + IMPOSSIBLE);
    this.#isOther = this.#impossible >= (this.#isOther ? 1 : ENOUGH);
  }
}

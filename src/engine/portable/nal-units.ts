import { Buffer } from 'node:buffer';
import { readUnits } from './h264.ts';

/** What a unit or a fragment takes besides its bytes: many tiny ones are no way around a limit. */
const OVERHEAD = 64;

/** The NAL units of an access unit, whole again, whatever packets they came in. */
export class NalUnits {
  /** Those that are whole, none of them empty. */
  readonly units: Buffer[] = [];
  /** The unit whose fragments are coming: its first byte, then its data. */
  #open: Buffer[] = [];
  #damaged = false;
  /** Bytes that all of it takes. */
  size = 0;

  /** Takes the next RTP payload. One that is malformed leaves the access unit damaged. */
  push(payload: Buffer): 'annex-b' | 'malformed' | undefined {
    const units = readUnits(payload);
    if (typeof units === 'string') {
      this.interrupt();
      return units;
    }
    for (const unit of units) {
      if ('whole' in unit) this.pushUnit(unit.whole);
      else this.#pushFragment(unit);
    }
    return undefined;
  }

  pushUnit(unit: Buffer): void {
    if (this.#open.length > 0) this.interrupt();
    this.units.push(unit);
    this.size += unit.length + OVERHEAD;
  }

  /** Something is missing here: what has begun will never be whole. */
  interrupt(): void {
    this.#damaged = true;
    this.#open = [];
  }

  /** Every unit that has begun has ended, and nothing is missing. */
  get whole(): boolean {
    return !this.#damaged && this.#open.length === 0;
  }

  #pushFragment({ header, start, end, data }: { header: number; start: boolean; end: boolean; data: Buffer }): void {
    const open = this.#open[0]?.readUInt8(0);
    const fits = start ? open === undefined : open !== undefined && (open & 0x1f) === (header & 0x1f);
    if (!fits) this.interrupt();
    if (start) this.#open.push(Buffer.from([header]));
    else if (this.#open.length === 0) return;
    if (data.length > 0) this.#open.push(data);
    this.size += data.length + OVERHEAD;
    if (!end) return;
    this.units.push(Buffer.concat(this.#open));
    this.#open = [];
  }
}

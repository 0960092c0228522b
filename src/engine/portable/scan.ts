import type { Buffer } from 'node:buffer';
import { isSlice, NAL, readSlice, typeOf, type Unit } from './h264.ts';
import type { ParameterSets } from './sets.ts';

/** What an access unit is made of. */
export class Scan {
  readonly #sets: ParameterSets;
  /** Type of the NAL unit whose fragments are coming. */
  #open: number | undefined;
  #sps = false;
  #pps = false;
  broken = false;
  picture = false;
  keyframe = false;
  bidirectional = false;

  constructor(sets: ParameterSets) {
    this.#sets = sets;
  }

  get damaged(): boolean {
    return this.broken || this.#open !== undefined;
  }

  /** It brings its own parameter sets. */
  get complete(): boolean {
    return this.#sps && this.#pps;
  }

  unit(unit: Unit): void {
    if ('whole' in unit) {
      const type = typeOf(unit.whole);
      this.broken ||= this.#open !== undefined;
      this.#nal(type, unit.whole.subarray(1));
      if (type === NAL.sps) this.#sps = this.#sets.keepSps(unit.whole) || this.#sps;
      if (type === NAL.pps) this.#pps = this.#sets.keepPps(unit.whole) || this.#pps;
      return;
    }
    const type = unit.header & 0x1f;
    if (unit.start) {
      this.broken ||= this.#open !== undefined;
      this.#open = type;
      this.#nal(type, unit.data);
    }
    this.broken ||= this.#open !== type;
    if (unit.end) this.#open = undefined;
  }

  #nal(type: number, data: Buffer): void {
    const slice = isSlice(type) ? readSlice(data) : undefined;
    // Types 1 to 5 carry the picture (ITU-T H.264 table 7-1).
    this.picture ||= type >= NAL.slice && type <= NAL.idr;
    this.keyframe ||= type === NAL.idr;
    this.bidirectional ||= slice?.bidirectional ?? false;
  }
}

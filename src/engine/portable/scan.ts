import type { Buffer } from 'node:buffer';
import { isSlice, NAL, readSlice, typeOf } from './h264.ts';
import type { ParameterSets } from './sets.ts';

/** What an access unit is made of. */
export class Scan {
  readonly #sets: ParameterSets;
  #sps = false;
  #pps = false;
  picture = false;
  keyframe = false;
  bidirectional = false;

  constructor(sets: ParameterSets) {
    this.#sets = sets;
  }

  /** It brings its own parameter sets. */
  get complete(): boolean {
    return this.#sps && this.#pps;
  }

  /** Takes the next NAL unit, which is not empty. */
  unit(unit: Buffer): void {
    const type = typeOf(unit);
    if (type === NAL.sps) this.#sps = this.#sets.keepSps(unit) || this.#sps;
    if (type === NAL.pps) this.#pps = this.#sets.keepPps(unit) || this.#pps;
    // Types 1 to 5 carry the picture (ITU-T H.264 table 7-1).
    this.picture ||= type >= NAL.slice && type <= NAL.idr;
    this.keyframe ||= type === NAL.idr;
    if (isSlice(type)) this.bidirectional ||= readSlice(unit.subarray(1))?.bidirectional ?? false;
  }
}

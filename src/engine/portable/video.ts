import type { Buffer } from 'node:buffer';
import type { DropReason, Drops } from './drops.ts';
import { isHevc, NAL, pack, readSlice, withoutStrayBytes } from './h264.ts';
import { NalUnits } from './nal-units.ts';
import type { RtpPacket } from './rtp.ts';
import { ParameterSets } from './sets.ts';
import type { Sps } from './sps.ts';

/** An access unit larger than this is not a picture but an attack. Bytes. */
const MAX_ACCESS_UNIT = 4 << 20;

/** A picture that can be decoded by who has all before it, or by anybody when it is a keyframe. */
export interface AccessUnit {
  /** The source's. */
  timestamp: number;
  /** An IDR picture, with parameter sets before it. */
  keyframe: boolean;
  /** Holds B slices. */
  bidirectional: boolean;
  sps: Sps | undefined;
  /** RTP payloads, each of at most `MAX_PAYLOAD` bytes. */
  payloads: Buffer[];
}

interface Assembly {
  timestamp: number;
  nals: NalUnits;
  /** Why it has to go, but for what its units show. */
  damage: DropReason | undefined;
  /** Packets are missing before it. */
  afterGap: boolean;
}

/** From RTP payloads in order to access units: whole, and in an unbroken chain from an IDR picture. */
export class Assembler {
  readonly #drops: Drops;
  readonly #out: (unit: AccessUnit) => void;
  readonly #sets = new ParameterSets();
  #current: Assembly | undefined;
  #gap = false;
  /** An IDR picture has come, and every access unit since. */
  #chain = false;
  /** Payloads with start codes came: the sender does not speak RFC 6184. */
  annexB = false;
  /** H265 came, and no H264 picture since. */
  hevc = false;

  constructor(drops: Drops, out: (unit: AccessUnit) => void) {
    this.#drops = drops;
    this.#out = out;
  }

  push({ payload: received, timestamp, marker }: RtpPacket): void {
    // Nothing but padding, to probe for bandwidth (RFC 3550 §5.1): no part of a picture, though it may end one.
    if (received.length === 0) {
      if (marker && this.#current?.timestamp === timestamp) this.#finish();
      return;
    }
    const payload = withoutStrayBytes(received);
    this.hevc ||= isHevc(payload);
    // A new time stamp begins a new access unit even where the marker is missing (RFC 6184 §5.1).
    if (this.#current !== undefined && this.#current.timestamp !== timestamp) this.#finish();
    this.#current ??= { timestamp, nals: new NalUnits(), damage: undefined, afterGap: this.#gap };
    this.#gap = false;
    this.#take(this.#current, payload);
    if (marker) this.#finish();
  }

  /** A whole access unit from a program, as NAL units; undefined: it is none. */
  pushAccessUnit(units: readonly Buffer[] | undefined, timestamp: number): void {
    this.#finish();
    const nals = new NalUnits();
    for (const unit of units ?? []) nals.pushUnit(unit);
    const damage = units === undefined ? 'malformed' : nals.size > MAX_ACCESS_UNIT ? 'oversized' : undefined;
    this.#current = { timestamp, nals, damage, afterGap: false };
    this.#finish();
  }

  /** Packets are missing here. */
  lost(): void {
    if (this.#current === undefined) this.#gap = true;
    else this.#current.nals.interrupt();
    this.#chain = false;
  }

  /** The source began anew. Parameter sets are kept until replaced. */
  restart(): void {
    this.#current = undefined;
    this.#gap = false;
    this.#chain = false;
  }

  #take(current: Assembly, payload: Buffer): void {
    if (current.nals.size + payload.length > MAX_ACCESS_UNIT) {
      current.damage = 'oversized';
      current.nals.interrupt();
      return;
    }
    const fault = current.nals.push(payload);
    if (fault === undefined) return;
    this.#drops.add('malformed');
    this.annexB ||= fault === 'annex-b';
  }

  #finish(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    const result = this.#examine(current);
    if (typeof result === 'string') {
      this.#drops.add(result);
      this.#chain = false;
    } else if (result !== undefined) {
      this.#chain = true;
      this.hevc = false;
      this.#out(result);
    }
  }

  /** Why it has to go; undefined when there is no picture in it, only parameter sets or such. */
  #examine({ timestamp, nals, damage, afterGap }: Assembly): AccessUnit | DropReason | undefined {
    const scan = new Scan(this.#sets);
    for (const unit of nals.units) scan.unit(unit);
    if (damage !== undefined) return damage;
    if (!nals.whole || (afterGap && !scan.beginsPicture)) return 'damaged';
    if (!scan.picture) return undefined;
    if (!scan.keyframe && !this.#chain) return 'awaiting-keyframe';
    const inject = scan.keyframe && !scan.complete;
    if (inject && !this.#sets.complete) return 'no-parameter-sets';
    return {
      timestamp,
      keyframe: scan.keyframe,
      bidirectional: scan.bidirectional,
      sps: this.#sets.newest,
      payloads: pack([...(inject ? this.#sets.units() : []), ...nals.units.filter((unit) => travels(typeOf(unit)))]),
    };
  }
}

/** What an access unit is made of. */
class Scan {
  readonly #sets: ParameterSets;
  #sps = false;
  #pps = false;
  #seen = false;
  picture = false;
  keyframe = false;
  bidirectional = false;
  /** Its first unit can only stand at the beginning of an access unit. */
  beginsPicture = false;

  constructor(sets: ParameterSets) {
    this.#sets = sets;
  }

  /** It brings its own parameter sets. */
  get complete(): boolean {
    return this.#sps && this.#pps;
  }

  unit(unit: Buffer): void {
    const type = typeOf(unit);
    const slice =
      type === NAL.slice || type === NAL.partition || type === NAL.idr ? readSlice(unit.subarray(1)) : undefined;
    if (!this.#seen) {
      this.#seen = true;
      this.beginsPicture = slice === undefined ? type >= 6 && type <= 9 : slice.firstMacroblock === 0;
    }
    if (type === NAL.sps) this.#sps = this.#sets.keepSps(unit) || this.#sps;
    if (type === NAL.pps) this.#pps = this.#sets.keepPps(unit) || this.#pps;
    // Types 1 to 5 carry the picture (ITU-T H.264 table 7-1).
    this.picture ||= type >= NAL.slice && type <= NAL.idr;
    this.keyframe ||= type === NAL.idr;
    this.bidirectional ||= slice?.bidirectional ?? false;
  }
}

function typeOf(unit: Buffer): number {
  return unit.readUInt8(0) & 0x1f;
}

/** Delimiters and filler are for byte streams; types past 23 mean something else in RTP (RFC 6184 §5.2). */
function travels(type: number): boolean {
  return type >= 1 && type <= 23 && type !== NAL.delimiter && type !== NAL.filler;
}

import type { Buffer } from 'node:buffer';
import type { DropReason, Drops } from './drops.ts';
import { isHevc, NAL, pack, place, typeOf, withoutStrayBytes } from './h264.ts';
import { NalUnits } from './nal-units.ts';
import type { RtpPacket } from './rtp.ts';
import { Scan } from './scan.ts';
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
  /** Its newest payload has the marker. */
  marked: boolean;
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
  /** The time stamp of the picture that a marker has just ended. */
  #ended: number | undefined;
  /** The sender marks what is no end of a picture, such as each slice. */
  #marksParts = false;
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
      if (marker && this.#current?.timestamp === timestamp) this.#mark();
      return;
    }
    const payload = withoutStrayBytes(received);
    this.hevc ||= isHevc(payload);
    if (this.#current !== undefined && isEnded(this.#current, timestamp, payload)) this.#finish();
    this.#current ??= this.#begin(timestamp, payload);
    this.#take(this.#current, payload);
    this.#current.marked = false;
    if (marker) this.#mark();
  }

  #begin(timestamp: number, payload: Buffer): Assembly {
    const cut = this.#ended === timestamp && !this.#gap && place(payload) === 'within';
    const afterGap = this.#gap;
    this.#marksParts ||= cut;
    this.#ended = undefined;
    this.#gap = false;
    // The beginning of a picture that was cut is on its way already.
    return { timestamp, nals: new NalUnits(), damage: cut ? 'damaged' : undefined, afterGap, marked: false };
  }

  /** The marker: the end of a picture, unless the sender is known to mark its parts. */
  #mark(): void {
    if (this.#current === undefined) return;
    if (this.#marksParts) {
      this.#current.marked = true;
    } else {
      this.#ended = this.#current.timestamp;
      this.#finish();
    }
  }

  /** A whole access unit from a program, as NAL units; undefined: it is none. */
  pushAccessUnit(units: readonly Buffer[] | undefined, timestamp: number): void {
    this.#finish();
    const nals = new NalUnits();
    for (const unit of units ?? []) nals.pushUnit(unit);
    const damage = units === undefined ? 'malformed' : nals.size > MAX_ACCESS_UNIT ? 'oversized' : undefined;
    this.#current = { timestamp, nals, damage, afterGap: false, marked: false };
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
    this.#ended = undefined;
    this.#marksParts = false;
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
    const [first] = nals.units;
    const begins = first !== undefined && place(first) === 'beginning';
    if (!nals.whole || (afterGap && !begins)) return 'damaged';
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

/**
 * A new time stamp begins a new access unit even where the marker is missing (RFC 6184 §5.1), and so does the beginning of
 * a picture behind a marker.
 */
function isEnded({ timestamp, marked }: Assembly, next: number, payload: Buffer): boolean {
  return timestamp !== next || (marked && place(payload) === 'beginning');
}

/** Delimiters and filler are for byte streams; types past 23 mean something else in RTP (RFC 6184 §5.2). */
function travels(type: number): boolean {
  return type >= 1 && type <= 23 && type !== NAL.delimiter && type !== NAL.filler;
}

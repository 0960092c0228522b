import { Buffer } from 'node:buffer';
import { Bits, whole } from './bits.ts';
import { MAX_PAYLOAD } from './rtp.ts';

/** NAL unit types (ITU-T H.264 table 7-1, RFC 6184 §5.2). */
export const NAL = {
  slice: 1,
  partition: 2,
  idr: 5,
  sps: 7,
  pps: 8,
  delimiter: 9,
  filler: 12,
  stapA: 24,
  fuA: 28,
} as const;

export const START_CODE = Buffer.from([0, 0, 1]);

/** What one RTP payload holds (RFC 6184 §5). */
export type Unit =
  /** A NAL unit, never empty. */
  | { whole: Buffer }
  /** A piece of one; `header` is the NAL unit's own first byte. */
  | { header: number; start: boolean; end: boolean; data: Buffer };

/** The units of a payload. `annex-b`: the bytes of a file. `malformed`: lengths or types that RFC 6184 does not have. */
export function readUnits(payload: Buffer): Unit[] | 'annex-b' | 'malformed' {
  const first = payload[0];
  if (first === undefined) return 'malformed';
  const type = first & 0x1f;
  if (type >= 1 && type <= 23) return [{ whole: payload }];
  if (type === NAL.stapA) return readAggregate(payload);
  const fragment = payload[1];
  if (type === NAL.fuA && fragment !== undefined && isNal(fragment)) {
    const header = (first & 0xe0) | (fragment & 0x1f);
    return [{ header, start: (fragment & 0x80) !== 0, end: (fragment & 0x40) !== 0, data: payload.subarray(2) }];
  }
  return startsWithCode(payload) ? 'annex-b' : 'malformed';
}

function readAggregate(payload: Buffer): Unit[] | 'malformed' {
  const units: Unit[] = [];
  let at = 1;
  while (at + 2 <= payload.length) {
    const length = payload.readUInt16BE(at);
    const end = at + 2 + length;
    if (length === 0 || end > payload.length || !isNal(payload.readUInt8(at + 2))) return 'malformed';
    units.push({ whole: payload.subarray(at + 2, end) });
    at = end;
  }
  return at === payload.length && units.length > 0 ? units : 'malformed';
}

/** Neither aggregates nor fragments hold other packet types (RFC 6184 §5.7.1 and §5.8). */
function isNal(first: number): boolean {
  const type = first & 0x1f;
  return type >= 1 && type <= 23;
}

/**
 * Where in an access unit a payload can stand: at its beginning, as the first slice of a picture or what comes before one
 * (ITU-T H.264 §7.4.1.2.3), or behind it, as a further slice or fragment. Undefined: not told.
 */
export function place(payload: Buffer): 'beginning' | 'within' | undefined {
  const units = readUnits(payload);
  const first = typeof units === 'string' ? undefined : units[0];
  if (first === undefined) return undefined;
  if (!('whole' in first) && !first.start) return 'within';
  const [header, data] =
    'whole' in first ? [first.whole.readUInt8(0), first.whole.subarray(1)] : [first.header, first.data];
  const type = header & 0x1f;
  const slice = isSlice(type) ? readSlice(data) : undefined;
  if (slice !== undefined) return slice.firstMacroblock > 0 ? 'within' : 'beginning';
  return type >= 6 && type <= NAL.delimiter ? 'beginning' : undefined;
}

/** The type of a NAL unit, which is not empty. */
export function typeOf(unit: Buffer): number {
  return unit.readUInt8(0) & 0x1f;
}

/** A slice, or what holds the header of one. */
export function isSlice(type: number): boolean {
  return type === NAL.slice || type === NAL.partition || type === NAL.idr;
}

/** A payload without what some cameras write behind the units of an aggregate: zeros, or a byte too few for a length. */
export function withoutStrayBytes(payload: Buffer): Buffer {
  if (((payload[0] ?? 0) & 0x1f) !== NAL.stapA) return payload;
  let end = 1;
  while (end + 2 <= payload.length && payload.readUInt16BE(end) > 0) end += 2 + payload.readUInt16BE(end);
  return end === 1 ? payload : payload.subarray(0, end);
}

/** Parameter sets of H265, alone or aggregated (RFC 7798 §4.4): their two bytes of header are of no H264 that travels. */
export function isHevc(payload: Buffer): boolean {
  const isSet = (at: number) => [0x40, 0x42, 0x44].includes(payload[at] ?? 0) && payload[at + 1] === 1;
  return isSet(0) || (payload[0] === 0x60 && payload[1] === 1 && isSet(4));
}

function startsWithCode(bytes: Buffer): boolean {
  const at = bytes.subarray(0, 4).indexOf(START_CODE);
  return at === 0 || (at === 1 && bytes[0] === 0);
}

/**
 * NAL units in decoding order as payloads, in as few as fit: neighbours that are small together, others alone, large ones
 * in fragments of one size, the last of which is shorter.
 */
export function pack(units: readonly Buffer[]): Buffer[] {
  const payloads: Buffer[] = [];
  let small: Buffer[] = [];
  let size = 1;
  const flush = () => {
    payloads.push(...(small.length > 1 ? [aggregate(small)] : small));
    [small, size] = [[], 1];
  };
  for (const unit of units) {
    if (size + 2 + unit.length > MAX_PAYLOAD) flush();
    if (unit.length > MAX_PAYLOAD) {
      payloads.push(...fragments(unit));
      continue;
    }
    small.push(unit);
    size += 2 + unit.length;
  }
  flush();
  return payloads;
}

function fragments(unit: Buffer): Buffer[] {
  const header = unit.readUInt8(0);
  const length = unit.length - 1;
  const size = Math.ceil(length / Math.ceil(length / (MAX_PAYLOAD - 2)));
  const count = Math.ceil(length / size);
  return Array.from({ length: count }, (_, index) => {
    const start = index === 0 ? 0x80 : 0;
    const end = index === count - 1 ? 0x40 : 0;
    const head = [(header & 0xe0) | NAL.fuA, start | end | (header & 0x1f)];
    return Buffer.concat([Buffer.from(head), unit.subarray(1 + index * size, 1 + (index + 1) * size)]);
  });
}

/** One aggregation packet (RFC 6184 §5.7.1): its first byte is the worst and the most important of theirs (§5.3, §5.7). */
function aggregate(units: readonly Buffer[]): Buffer {
  const headers = units.map((unit) => unit.readUInt8(0));
  const faulty = headers.some((header) => header >= 0x80) ? 0x80 : 0;
  const importance = Math.max(...headers.map((header) => header & 0x60));
  const parts = units.flatMap((unit) => [Buffer.from([unit.length >> 8, unit.length & 0xff]), unit]);
  return Buffer.concat([Buffer.from([faulty | importance | NAL.stapA]), ...parts]);
}

/** The NAL units of a byte stream with start codes (ITU-T H.264 annex B), empty ones left out. */
export function annexB(stream: Buffer): Buffer[] {
  const units: Buffer[] = [];
  let start = stream.indexOf(START_CODE);
  while (start >= 0) {
    const next = stream.indexOf(START_CODE, start + 3);
    let end = next < 0 ? stream.length : next;
    while (end > start + 3 && stream[end - 1] === 0) end--;
    if (end > start + 3) units.push(stream.subarray(start + 3, end));
    start = next;
  }
  return units;
}

/** The start of a slice header (ITU-T H.264 §7.3.3), which follows the NAL unit's first byte. Undefined: too little. */
export function readSlice(data: Buffer): { firstMacroblock: number; bidirectional: boolean } | undefined {
  return whole(() => {
    const bits = new Bits(data, 0);
    const firstMacroblock = bits.unsigned();
    return { firstMacroblock, bidirectional: bits.unsigned() % 5 === 1 };
  });
}

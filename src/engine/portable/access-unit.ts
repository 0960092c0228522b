import type { Buffer } from 'node:buffer';
import { annexB, START_CODE } from './h264.ts';

/**
 * The NAL units of an access unit as programs have it, empty ones left out; undefined when it is none. AVCC
 * (ISO/IEC 14496-15 §5.3.2) has each after its length in four bytes, which have to add up; Annex B each after a start
 * code; a decoder configuration record (§5.2.4.1) the parameter sets.
 */
export function nalUnits(data: Buffer): Buffer[] | undefined {
  // A length of 256 to 511 begins as a start code does. No unit holds a start code, so only one of the two can fit.
  return lengthPrefixed(data) ?? (startsWithCode(data) ? annexB(data) : record(data));
}

function lengthPrefixed(data: Buffer): Buffer[] | undefined {
  const units: Buffer[] = [];
  for (let at = 0; at < data.length; ) {
    if (at + 4 >= data.length) return undefined;
    const end = at + 4 + data.readUInt32BE(at);
    const unit = data.subarray(at + 4, end);
    // The highest bit of a unit is zero (ITU-T H.264 §7.4.1).
    const header = unit[0] ?? 0x80;
    if (end > data.length || (header & 0x80) !== 0 || unit.includes(START_CODE)) return undefined;
    units.push(unit);
    at = end;
  }
  return units.length > 0 ? units : undefined;
}

/** Version 1, profile, compatibility, level, length size, then each kind of set: their count, each after its length. */
function record(data: Buffer): Buffer[] | undefined {
  if (data[0] !== 1) return undefined;
  const units: Buffer[] = [];
  let at = 5;
  for (const mask of [0x1f, 0xff]) {
    const count = data[at++];
    if (count === undefined) return undefined;
    for (let left = count & mask; left > 0; left--) {
      if (at + 2 > data.length) return undefined;
      const end = at + 2 + data.readUInt16BE(at);
      if (end > data.length) return undefined;
      if (end > at + 2) units.push(data.subarray(at + 2, end));
      at = end;
    }
  }
  return units.length > 0 ? units : undefined;
}

/** Zeros may stand before the first start code. */
function startsWithCode(data: Buffer): boolean {
  const first = data.findIndex((byte) => byte !== 0);
  return first >= 2 && data[first] === 1;
}

import { Buffer } from 'node:buffer';
import { writeHeader } from '../../../src/engine/portable/rtp.ts';

/** An RTP packet. */
export function rtp(
  payload: Buffer,
  { sequence = 0, timestamp = 0, marker = false, ssrc = 1, payloadType = 96 } = {},
): Buffer {
  const packet = Buffer.alloc(12 + payload.length);
  writeHeader(packet, { sequence, timestamp, marker, ssrc, payloadType });
  payload.copy(packet, 12);
  return packet;
}

/** Constrained baseline, 640x360, as x264 writes it. */
export const SPS = Buffer.from('6742c01ed900a02ff970110000030001000003003c0f162e48', 'hex');
export const PPS = Buffer.from('68cb83cb20', 'hex');

/** A slice of `size` bytes that begins a picture: first_mb_in_slice 0, slice_type 7 (I) or 5 (P), 6 (B). */
export function slice(kind: 'idr' | 'p' | 'b', size = 10): Buffer {
  const unit = Buffer.alloc(size, 0xaa);
  unit[0] = kind === 'idr' ? 0x65 : 0x41;
  // ue(v) 0, then ue(v) 7 = 0001000, 5 = 00110, 6 = 00111, and 0 for the parameter set.
  unit[1] = { idr: 0b10001000, p: 0b10011010, b: 0b10011110 }[kind];
  return unit;
}

/** Bytes that depend on nothing but the seed. */
export function garbage(length: number, seed: number): Buffer {
  let state = seed >>> 0;
  return Buffer.from(
    Array.from({ length }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    }),
  );
}

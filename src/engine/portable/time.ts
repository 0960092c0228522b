import type { LegKind } from '../port.ts';

/** RTP clock ticks per millisecond (RFC 6184 §8.2.1, RFC 7587 §4.1). */
export const TICKS: Readonly<Record<LegKind, number>> = { video: 90, audio: 48 };

/** An NTP time stamp (RFC 3550 §4): seconds since 1900 and a fraction of 32 bits. */
export interface Ntp {
  seconds: number;
  fraction: number;
}

const SECONDS_1900_TO_1970 = 2_208_988_800;

/** The wall time of a `performance.now()`; does not jump with the system's clock. */
export function wallTime(now: number): Ntp {
  const since = (performance.timeOrigin + now) / 1000;
  const seconds = Math.floor(since);
  return { seconds: (seconds + SECONDS_1900_TO_1970) >>> 0, fraction: Math.floor((since - seconds) * 2 ** 32) };
}

/** Milliseconds since 1900. */
export function milliseconds({ seconds, fraction }: Ntp): number {
  return seconds * 1000 + (fraction * 1000) / 2 ** 32;
}

/** The middle 32 bits, in 1/65536 s, as receiver reports echo them (RFC 3550 §6.4.1). */
export function middle({ seconds, fraction }: Ntp): number {
  return (((seconds & 0xffff) << 16) | (fraction >>> 16)) >>> 0;
}

import type { Buffer } from 'node:buffer';

/** Samples at 48 kHz of one frame, by configuration (RFC 6716 table 2). */
const SILK = [480, 960, 1_920, 2_880];
const HYBRID = [480, 960];
const CELT = [120, 240, 480, 960];
/** A packet lasts at most 120 ms. */
const MAX_DURATION = 5_760;

/** Channels and duration (samples at 48 kHz) of a packet, from its first bytes (RFC 6716 §3.1, §3.2). */
export function parseOpus(packet: Buffer): { channels: 1 | 2; duration: number } | undefined {
  const toc = packet[0];
  if (toc === undefined) return undefined;
  const config = toc >> 3;
  const frame = (config < 12 ? SILK[config & 3] : config < 16 ? HYBRID[config & 1] : CELT[config & 3]) ?? 0;
  const code = toc & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 0x3f;
  const duration = frame * frames;
  if (duration === 0 || duration > MAX_DURATION) return undefined;
  return { channels: toc & 4 ? 2 : 1, duration };
}

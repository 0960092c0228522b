import type { Buffer } from 'node:buffer';

/** Samples at 48 kHz of one frame, by configuration (RFC 6716 table 2). */
const SILK = [480, 960, 1_920, 2_880];
const HYBRID = [480, 960];
const CELT = [120, 240, 480, 960];
/** A packet lasts at most 120 ms (§3.4). */
const MAX_DURATION = 5_760;
/** The longest frame (§3.2.1). Bytes. */
const MAX_FRAME = 1_275;

/** What an Opus packet says of itself. */
export interface Opus {
  channels: 1 | 2;
  /** Samples at 48 kHz in the whole packet. */
  duration: number;
}

/** Reads a packet (RFC 6716 §3.1, §3.2). Undefined when it is none: its frames do not add up, or last too long. */
export function parseOpus(packet: Buffer): Opus | undefined {
  const toc = packet[0];
  if (toc === undefined) return undefined;
  const config = toc >> 3;
  const frame = (config < 12 ? SILK[config & 3] : config < 16 ? HYBRID[config & 1] : CELT[config & 3]) ?? 0;
  const duration = frame * countFrames(toc & 3, packet.subarray(1));
  if (duration === 0 || duration > MAX_DURATION) return undefined;
  return { channels: toc & 4 ? 2 : 1, duration };
}

/** How many frames there are behind the first byte; 0 when they do not add up. */
function countFrames(code: number, rest: Buffer): number {
  if (code === 0) return rest.length <= MAX_FRAME ? 1 : 0;
  if (code === 1) return areEqual(rest.length, 2) ? 2 : 0;
  if (code === 2) return haveLengths(rest, 1) ? 2 : 0;
  const count = rest[0] ?? 0;
  const frames = count & 0x3f;
  const bytes = withoutPadding(count, rest.subarray(1));
  if (bytes === undefined) return 0;
  return (count & 0x80 ? haveLengths(bytes, frames - 1) : areEqual(bytes.length, frames)) ? frames : 0;
}

/** §3.2.5: lengths of 255 mean 254 bytes and one more length. */
function withoutPadding(count: number, bytes: Buffer): Buffer | undefined {
  if ((count & 0x40) === 0) return bytes;
  for (let at = 0, padding = 0; ; at++) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    padding += Math.min(length, 254);
    if (length === 255) continue;
    const end = bytes.length - padding;
    return end > at ? bytes.subarray(at + 1, end) : undefined;
  }
}

function areEqual(bytes: number, frames: number): boolean {
  return frames > 0 && bytes % frames === 0 && bytes / frames <= MAX_FRAME;
}

/** Whether there is a length (§3.2.1) for each frame but the last, and as many bytes. */
function haveLengths(bytes: Buffer, frames: number): boolean {
  let at = 0;
  let total = 0;
  for (let frame = 0; frame < frames; frame++) {
    const first = bytes[at++];
    const second = (first ?? 0) >= 252 ? bytes[at++] : 0;
    if (first === undefined || second === undefined) return false;
    total += first + 4 * second;
  }
  const last = bytes.length - at - total;
  return last >= 0 && last <= MAX_FRAME;
}

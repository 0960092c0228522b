import { Buffer } from 'node:buffer';
import type { Ntp } from './time.ts';

/** What is understood of RTCP (RFC 3550 §6, RFC 4585, RFC 5104); the rest is passed over. */
export type Report =
  | { type: 'sender'; ssrc: number; ntp: Ntp; timestamp: number }
  | {
      type: 'reception';
      ssrc: number;
      /** 0 to 1, since the report before. */
      fractionLost: number;
      /** Packets since the beginning. */
      lost: number;
      jitter: number;
      lastReport: number;
      delay: number;
    }
  | { type: 'bye'; ssrcs: number[] }
  | { type: 'nack'; ssrc: number; sequences: number[] }
  /** PLI or FIR. */
  | { type: 'keyframe'; ssrc: number };

/** Sequence numbers taken from one NACK, at most. */
const MAX_NACKED = 256;

const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
const DESCRIPTION = 202;
const BYE = 203;
const TRANSPORT_FEEDBACK = 205;
const PAYLOAD_FEEDBACK = 206;

/** Reads a compound packet; stops where lengths do not add up. */
export function parseRtcp(bytes: Buffer): Report[] {
  const reports: Report[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const first = bytes.readUInt8(at);
    const end = at + (bytes.readUInt16BE(at + 2) + 1) * 4;
    if (first >> 6 !== 2 || end > bytes.length) break;
    reports.push(...readPacket(bytes.readUInt8(at + 1), first & 0x1f, bytes.subarray(at + 4, end)));
    at = end;
  }
  return reports;
}

function readPacket(type: number, count: number, body: Buffer): Report[] {
  if (type === SENDER_REPORT && body.length >= 24) {
    const ntp = { seconds: body.readUInt32BE(4), fraction: body.readUInt32BE(8) };
    const report: Report = { type: 'sender', ssrc: body.readUInt32BE(0), ntp, timestamp: body.readUInt32BE(12) };
    return [report, ...readReceptions(body.subarray(24), count)];
  }
  if (type === RECEIVER_REPORT) return readReceptions(body.subarray(4), count);
  if (type === BYE) return [{ type: 'bye', ssrcs: words(body).slice(0, count) }];
  if (body.length < 8) return [];
  const ssrc = body.readUInt32BE(4);
  if (type === TRANSPORT_FEEDBACK && count === 1) return [{ type: 'nack', ssrc, sequences: nacked(body.subarray(8)) }];
  if (type === PAYLOAD_FEEDBACK && count === 1) return [{ type: 'keyframe', ssrc }];
  // RFC 5104 §4.3.1: a FIR names its streams in its entries.
  if (type === PAYLOAD_FEEDBACK && count === 4 && body.length >= 16) {
    return [{ type: 'keyframe', ssrc: body.readUInt32BE(8) }];
  }
  return [];
}

function readReceptions(blocks: Buffer, count: number): Report[] {
  return Array.from({ length: Math.min(count, Math.floor(blocks.length / 24)) }, (_, index) => {
    const block = blocks.subarray(index * 24);
    return {
      type: 'reception',
      ssrc: block.readUInt32BE(0),
      fractionLost: block.readUInt8(4) / 256,
      // Signed: negative after duplicates.
      lost: Math.max(0, block.readIntBE(5, 3)),
      jitter: block.readUInt32BE(12),
      lastReport: block.readUInt32BE(16),
      delay: block.readUInt32BE(20),
    };
  });
}

/** RFC 4585 §6.2.1: a number, and a mask of the 16 that follow. */
function nacked(entries: Buffer): number[] {
  const sequences: number[] = [];
  for (const entry of words(entries)) {
    const first = entry >>> 16;
    sequences.push(first);
    for (let bit = 0; bit < 16; bit++) if ((entry >> bit) & 1) sequences.push((first + bit + 1) & 0xffff);
    if (sequences.length >= MAX_NACKED) break;
  }
  return sequences;
}

function words(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length >> 2 }, (_, index) => bytes.readUInt32BE(index * 4));
}

export interface SenderReport {
  ssrc: number;
  ntp: Ntp;
  /** The same moment on the stream's media clock. */
  timestamp: number;
  packets: number;
  octets: number;
  /** Ties audio and video of one viewer together (RFC 3550 §6.5.1). */
  cname: string;
}

/** A compound packet: the report, then the source description that RFC 3550 §6.1 demands. */
export function writeSenderReport({ ssrc, ntp, timestamp, packets, octets, cname }: SenderReport): Buffer {
  const name = Buffer.from(cname).subarray(0, 255);
  // The chunk ends with at least one zero, at a word's end.
  const words = Math.floor((6 + name.length) / 4) + 1;
  const packet = Buffer.alloc(28 + 4 + words * 4);
  packet.writeUInt32BE(((0x80 << 24) | (SENDER_REPORT << 16) | 6) >>> 0, 0);
  for (const [index, word] of [ssrc, ntp.seconds, ntp.fraction, timestamp, packets, octets].entries()) {
    packet.writeUInt32BE(word >>> 0, 4 + index * 4);
  }
  packet.writeUInt32BE(((0x81 << 24) | (DESCRIPTION << 16) | words) >>> 0, 28);
  packet.writeUInt32BE(ssrc, 32);
  packet.writeUInt8(1, 36);
  packet.writeUInt8(name.length, 37);
  name.copy(packet, 38);
  return packet;
}

import type { Buffer } from 'node:buffer';

/** Bytes of a header without CSRCs and extensions (RFC 3550 §5.1). */
export const HEADER = 12;
/** The largest payload of an outgoing packet: leaves room for RTP, SRTP, UDP and IPv6 within 1280 bytes. */
export const MAX_PAYLOAD = 1202;
/** The largest packet of sound, which cannot be split, as the native engine has it. */
export const MAX_SOUND = 1402;

export interface RtpPacket {
  /** The end of a picture (RFC 6184 §5.1). */
  marker: boolean;
  payloadType: number;
  /** 16 bits, wraps. */
  sequence: number;
  /** 32 bits, wraps. */
  timestamp: number;
  ssrc: number;
  /** Without CSRCs, extension and padding. */
  payload: Buffer;
}

/** Tells RTCP from RTP on a shared port (RFC 5761 §4). */
export function isRtcp(datagram: Buffer): boolean {
  const type = datagram[1] ?? 0;
  return type >= 192 && type <= 223;
}

/** Reads one datagram; undefined when its lengths do not add up. */
export function parseRtp(datagram: Buffer): RtpPacket | undefined {
  if (datagram.length < HEADER) return undefined;
  const first = datagram.readUInt8(0);
  if (first >> 6 !== 2 || isRtcp(datagram)) return undefined;
  let start = HEADER + (first & 0x0f) * 4;
  if (first & 0x10) {
    if (start + 4 > datagram.length) return undefined;
    start += 4 + datagram.readUInt16BE(start + 2) * 4;
  }
  let end = datagram.length;
  if (first & 0x20) {
    const padding = datagram.readUInt8(end - 1);
    if (padding === 0) return undefined;
    end -= padding;
  }
  if (start > end) return undefined;
  const second = datagram.readUInt8(1);
  return {
    marker: second >= 0x80,
    payloadType: second & 0x7f,
    sequence: datagram.readUInt16BE(2),
    timestamp: datagram.readUInt32BE(4),
    ssrc: datagram.readUInt32BE(8),
    payload: datagram.subarray(start, end),
  };
}

export interface Header {
  marker: boolean;
  payloadType: number;
  sequence: number;
  timestamp: number;
  ssrc: number;
}

/** Writes a plain header over the first 12 bytes. */
export function writeHeader(packet: Buffer, { marker, payloadType, sequence, timestamp, ssrc }: Header): void {
  packet.writeUInt8(0x80, 0);
  packet.writeUInt8((marker ? 0x80 : 0) | payloadType, 1);
  packet.writeUInt16BE(sequence, 2);
  packet.writeUInt32BE(timestamp, 4);
  packet.writeUInt32BE(ssrc, 8);
}

/** How far a 16-bit number lies ahead of another, from -32768 to 32767. */
export function ahead(sequence: number, of: number): number {
  return ((sequence - of) << 16) >> 16;
}

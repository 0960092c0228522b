import { createSocket } from 'node:dgram';
import type { Readable } from 'node:stream';

/** OBU types (AV1 §6.2.2). */
const [SEQUENCE_HEADER, TEMPORAL_DELIMITER] = [1, 2];
/** Bits of an OBU's header (AV1 §5.3.2). */
const [EXTENSION, HAS_SIZE] = [0x04, 0x02];
/** Bits of an aggregation header (RTP Payload Format for AV1 §4.4). */
const [CONTINUES, CONTINUED, NEW_SEQUENCE] = [0x80, 0x40, 0x08];
/** Bytes of a payload. */
const LARGEST = 1_200;

/** Sends the AV1 of an IVF file by RTP as it comes, until it ends: FFmpeg 5 writes the one and not the other. */
export function sendAv1(ivf: Readable, port: number): void {
  const socket = createSocket('udp4');
  const ssrc = Math.floor(Math.random() * 2 ** 32);
  let [pending, number, ticks] = [Buffer.alloc(0), 0, 0];
  const send = (unit: Buffer, time: number) => {
    const payloads = payloadsOf(unit);
    for (const [index, payload] of payloads.entries()) {
      const header = Buffer.alloc(12);
      header.writeUInt16BE(0x8060 | (index + 1 === payloads.length ? 0x80 : 0), 0);
      header.writeUInt16BE(number++ % 2 ** 16, 2);
      header.writeUInt32BE((time * ticks) % 2 ** 32, 4);
      header.writeUInt32BE(ssrc, 8);
      socket.send(Buffer.concat([header, payload]), port, '127.0.0.1');
    }
  };
  ivf.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    if (ticks === 0 && pending.length >= 32) {
      ticks = (90_000 * pending.readUInt32LE(20)) / pending.readUInt32LE(16);
      pending = pending.subarray(32);
    }
    while (ticks > 0 && pending.length >= 12 && pending.length >= 12 + pending.readUInt32LE(0)) {
      const end = 12 + pending.readUInt32LE(0);
      send(pending.subarray(12, end), pending.readUInt32LE(4));
      pending = pending.subarray(end);
    }
  });
  ivf.on('close', () => socket.close());
}

/** A temporal unit in payloads that are filled one after the other. */
function payloadsOf(unit: Buffer): Buffer[] {
  const obus = [...obusOf(unit)];
  const isNew = obus.some((obu) => typeOf(obu) === SEQUENCE_HEADER);
  const payloads: Buffer[] = [];
  let payload = Buffer.of(isNew ? NEW_SEQUENCE : 0);
  for (const obu of obus) {
    for (let at = 0; at < obu.length; ) {
      const piece = obu.subarray(at, at + LARGEST - payload.length - 2);
      payload = Buffer.concat([payload, lengthOf(piece), piece]);
      at += piece.length;
      if (payload.length < LARGEST - 3) continue;
      const goesOn = at < obu.length;
      if (goesOn) payload[0] = (payload[0] ?? 0) | CONTINUED;
      payloads.push(payload);
      payload = Buffer.of(goesOn ? CONTINUES : 0);
    }
  }
  return payload.length > 1 ? [...payloads, payload] : payloads;
}

/** Those that RTP carries, without size field. */
function* obusOf(unit: Buffer): Generator<Buffer> {
  for (let at = 0; at < unit.length; ) {
    const first = unit.readUInt8(at);
    if ((first & HAS_SIZE) === 0) throw new Error('IVF holds OBUs with size fields');
    const headerEnd = at + (first & EXTENSION ? 2 : 1);
    let [size, start, shift] = [0, headerEnd, 0];
    for (let more = true; more; shift += 7) {
      const byte = unit.readUInt8(start++);
      size |= (byte & 0x7f) << shift;
      more = byte >= 0x80;
    }
    const header = Buffer.from(unit.subarray(at, headerEnd));
    header[0] = first & ~HAS_SIZE;
    at = start + size;
    if (typeOf(header) !== TEMPORAL_DELIMITER) yield Buffer.concat([header, unit.subarray(start, at)]);
  }
}

function typeOf(obu: Buffer): number {
  return (obu.readUInt8(0) >> 3) & 0xf;
}

/** In leb128, of two bytes at most. */
function lengthOf({ length }: Buffer): Buffer {
  return length < 0x80 ? Buffer.of(length) : Buffer.of((length & 0x7f) | 0x80, length >> 7);
}

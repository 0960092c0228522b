import { Buffer } from 'node:buffer';
import type { LegKind, MediaLine } from '../port.ts';
import type { Frame, History, Packet } from './frame.ts';
import { writeSenderReport } from './rtcp.ts';
import { HEADER, writeHeader } from './rtp.ts';
import type { Ntp } from './time.ts';

/** Of every byte sent, this much may be spent on repair, and at most so many bytes at once. */
const REPAIR_SHARE = 0.5;
const MAX_CREDIT = 128_000;
/** A repair is on its way for at least this long. Milliseconds. */
const MIN_ROUND_TRIP = 10;
/** Numbers remembered as just repaired. */
const REMEMBERED = 256;
/** A sender report is due this often; browsers synchronize the faster the more often. Milliseconds. */
const REPORT_INTERVAL = 1_000;

/** Sends one packet; false when it could not. */
export type Send = (packet: Buffer) => boolean;

/** One leg as one viewer gets it: own SSRC, payload type, numbers and time stamps; nothing before a keyframe. */
export class Track {
  readonly kind: LegKind;
  readonly ssrc: number;
  readonly #line: MediaLine;
  readonly #send: Send;
  /** Random: known plaintext does not help then (RFC 3550 §5.1). */
  readonly #timestampOffset: number;
  readonly #sequenceOffset: number;
  #rtxSequence: number;
  /** The first packet's number, and the one after the newest. */
  #first: number | undefined;
  #next = 0;
  #packets = 0;
  #octets = 0;
  #nextReport = 0;
  #credit = MAX_CREDIT / 2;
  readonly #repaired = new Map<number, number>();

  constructor(line: MediaLine, send: Send) {
    const [timestamp = 0, sequences = 0] = crypto.getRandomValues(new Uint32Array(2));
    this.kind = line.kind;
    this.ssrc = line.ssrc;
    this.#line = line;
    this.#send = send;
    this.#timestampOffset = timestamp;
    this.#sequenceOffset = sequences & 0xffff;
    this.#rtxSequence = sequences >>> 16;
  }

  /** Something has been sent. */
  get started(): boolean {
    return this.#first !== undefined;
  }

  /** Sends a frame; gives the bytes sent, undefined when the viewer can do nothing with it before the next keyframe. */
  deliver(frame: Frame): number | undefined {
    const [head] = frame.packets;
    if (head === undefined) return 0;
    if (!frame.keyframe && (this.#first === undefined || this.#next !== head.number)) return undefined;
    let bytes = 0;
    for (const packet of frame.packets) {
      this.#write(packet);
      // Nothing of the frame arrives while the track is not open: it has not begun then.
      if (!this.#send(packet.bytes)) return this.#first === undefined ? undefined : bytes;
      this.#first ??= packet.number;
      this.#next = packet.number + 1;
      this.#packets++;
      this.#octets += packet.bytes.length - HEADER;
      bytes += packet.bytes.length;
    }
    this.#credit = Math.min(MAX_CREDIT, this.#credit + bytes * REPAIR_SHARE);
    return bytes;
  }

  /** Sends again what the viewer lacks (RFC 4585 §6.2.1), not twice in a round trip; gives how many packets. */
  repair(sequences: readonly number[], history: History, roundTrip: number, now: number): number {
    for (const [sequence, at] of this.#repaired) {
      if (now - at >= Math.max(roundTrip, MIN_ROUND_TRIP)) this.#repaired.delete(sequence);
    }
    let count = 0;
    for (const sequence of sequences) {
      const packet = history.find(this.#next - this.#behind(sequence));
      if (packet === undefined || packet.number < (this.#first ?? this.#next)) continue;
      if (this.#repaired.has(sequence) || this.#repaired.size >= REMEMBERED) continue;
      if (this.#credit < packet.bytes.length) break;
      this.#credit -= packet.bytes.length;
      this.#repaired.set(sequence, now);
      if (this.#resend(packet)) count++;
    }
    return count;
  }

  /** Writes a sender report when one is due. `timestamp`: the media time of now. */
  report(ntp: Ntp, timestamp: number | undefined, now: number): void {
    if (this.#first === undefined || timestamp === undefined || now < this.#nextReport) return;
    this.#nextReport = now + REPORT_INTERVAL;
    const { ssrc, cname } = this.#line;
    const outgoing = this.#outgoing(timestamp);
    const report = { ssrc, ntp, timestamp: outgoing, packets: this.#packets, octets: this.#octets, cname };
    this.#send(writeSenderReport(report));
  }

  /** How far a number lies before the next one, from 1 to 65536. */
  #behind(sequence: number): number {
    return ((this.#sequence(this.#next) - sequence - 1) & 0xffff) + 1;
  }

  #write({ bytes, number, marker, timestamp }: Packet): void {
    const { payloadType, ssrc } = this.#line;
    const sequence = this.#sequence(number);
    writeHeader(bytes, { marker, payloadType, sequence, timestamp: this.#outgoing(timestamp), ssrc });
  }

  /** On a stream of its own where the viewer understands that (RFC 4588 §4), else as the first time. */
  #resend(packet: Packet): boolean {
    this.#write(packet);
    const { rtx } = this.#line;
    if (rtx === undefined) return this.#send(packet.bytes);
    const { bytes, number, marker, timestamp } = packet;
    const again = Buffer.allocUnsafe(bytes.length + 2);
    const sequence = this.#rtxSequence;
    this.#rtxSequence = (sequence + 1) & 0xffff;
    writeHeader(again, { ...rtx, marker, sequence, timestamp: this.#outgoing(timestamp) });
    again.writeUInt16BE(this.#sequence(number), HEADER);
    bytes.copy(again, HEADER + 2, HEADER);
    return this.#send(again);
  }

  #sequence(number: number): number {
    return (number + this.#sequenceOffset) & 0xffff;
  }

  #outgoing(timestamp: number): number {
    return (timestamp + this.#timestampOffset) % 2 ** 32;
  }
}

import type { Buffer } from 'node:buffer';
import type { LegCounters, LegKind } from '../port.ts';
import { type DropReason, Drops } from './drops.ts';
import { type Frame, History } from './frame.ts';
import { type FrameOutput, Media } from './media.ts';
import { Reorder } from './order.ts';
import { parseRtp, type RtpPacket } from './rtp.ts';

/** The first sender of a leg holds it until it has been silent for this long. Milliseconds. */
const SENDER_HOLD = 2_000;
/** What comes so long after a goodbye was no straggler. Milliseconds. */
const STRAGGLING = 500;

export interface Address {
  address: string;
  port: number;
}

/** One input of a stream: whose packets count, and in which order. Times in milliseconds. */
export class Leg {
  readonly kind: LegKind;
  readonly drops = new Drops();
  readonly history = new History();
  readonly media: Media;
  readonly #order: Reorder<RtpPacket>;
  #sender: Address | undefined;
  #identity: { ssrc: number; payloadType: number } | undefined;
  /** The stream that said goodbye, and when: its stragglers do not bring the leg back to life. */
  #departed: { ssrc: number | undefined; at: number } | undefined;
  #now = 0;
  #in = { packets: 0, bytes: 0 };
  readonly out = { packets: 0, bytes: 0 };
  active = false;
  /** When the newest packet came, and the first. */
  lastPacket: number | undefined;
  firstPacket: number | undefined;

  constructor(kind: LegKind, out: FrameOutput) {
    this.kind = kind;
    this.media = new Media(kind, this.drops, (frame: Frame, timestamp, jumped) => {
      for (const packet of frame.packets) this.history.add(packet);
      out(frame, timestamp, jumped);
    });
    this.#order = new Reorder({
      packet: (packet) => this.media.packet(packet, this.#now),
      lost: (count) => this.media.lost(count),
      restart: () => this.media.restart(),
    });
  }

  /** The stream that sends now. */
  get ssrc(): number | undefined {
    return this.#identity?.ssrc;
  }

  /** Takes one RTP datagram; true when it is a sign of life. */
  handleRtp(datagram: Buffer, from: Address, now: number): boolean {
    this.#count(datagram.length);
    const packet = parseRtp(datagram);
    const refused = packet === undefined ? 'malformed' : this.#admit(packet, from, now);
    if (packet === undefined || refused !== undefined) {
      this.drops.add(refused ?? 'malformed');
      return false;
    }
    this.#now = now;
    const result = this.#order.push(packet.sequence, packet, now);
    if (result !== undefined) this.drops.add(result);
    return this.#departed === undefined;
  }

  /** The stream that sends now says goodbye (RFC 3550 §6.6): another sender may begin at once. */
  handleBye(now: number): void {
    this.#departed = { ssrc: this.ssrc, at: now };
    this.#sender = undefined;
  }

  /** Takes a whole frame from a program; `timestamp` in ticks, 32 bits. */
  push(data: Uint8Array, timestamp: number, now: number): void {
    this.#count(data.length);
    this.lastPacket = now;
    this.media.push(data, timestamp, now);
  }

  /** Gives up on packets that did not come in time. */
  poll(now: number): void {
    this.#now = now;
    this.#order.poll(now);
  }

  counters(): LegCounters {
    return {
      packetsIn: this.#in.packets,
      bytesIn: this.#in.bytes,
      packetsOut: this.out.packets,
      bytesOut: this.out.bytes,
      dropped: this.drops.snapshot(),
    };
  }

  #count(bytes: number): void {
    this.#in.packets++;
    this.#in.bytes += bytes;
  }

  /** First sender first; a new stream of the same sender, or of another after a silence, is a restart. */
  #admit({ ssrc, payloadType }: RtpPacket, from: Address, now: number): DropReason | undefined {
    const pause = this.lastPacket === undefined ? Infinity : now - this.lastPacket;
    const silent = pause >= SENDER_HOLD;
    const sender = this.#sender;
    const foreign = sender !== undefined && (sender.port !== from.port || sender.address !== from.address);
    if (foreign && !silent) return 'foreign-sender';
    const known = this.#identity;
    const same = known?.ssrc === ssrc && known.payloadType === payloadType;
    const gone = this.#departed?.ssrc === ssrc && pause >= STRAGGLING;
    if (known !== undefined && (!same || gone || foreign)) {
      if (known.ssrc === ssrc && !silent && !gone) return 'payload-type';
      this.#departed = undefined;
      this.#order.reset();
      this.media.restart();
    } else if (silent) {
      this.#order.resume();
    }
    if (this.#departed !== undefined && now - this.#departed.at >= STRAGGLING) this.#departed = undefined;
    // A straggler of a stream that has said goodbye does not hold the leg.
    if (this.#departed === undefined) this.#sender = { address: from.address, port: from.port };
    this.#identity = { ssrc, payloadType };
    this.lastPacket = now;
    return undefined;
  }
}

import type { Buffer } from 'node:buffer';
import type { LegCounters, LegKind } from '../port.ts';
import { Drops } from './drops.ts';
import { type Frame, History } from './frame.ts';
import { type Address, Holder } from './holder.ts';
import { type FrameOutput, Media } from './media.ts';
import { Reorder } from './order.ts';
import { Rhythm } from './rhythm.ts';
import { parseRtp, type RtpPacket } from './rtp.ts';

/** One input of a stream: whose packets count, and in which order. Times in milliseconds. */
export class Leg {
  readonly kind: LegKind;
  readonly drops = new Drops();
  readonly history = new History();
  readonly media: Media;
  readonly #order: Reorder<RtpPacket>;
  readonly #holder = new Holder();
  readonly #rhythm = new Rhythm();
  #now = 0;
  #in = { packets: 0, bytes: 0 };
  readonly out = { packets: 0, bytes: 0 };
  active = false;
  /** When it last became active. */
  began: number | undefined;

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
    return this.#holder.ssrc;
  }

  /** When the newest packet came that counted. */
  get lastPacket(): number | undefined {
    return this.#holder.lastPacket;
  }

  /** When the leg is silent if nothing comes until then: after `silence`, or longer where frames are rare. */
  silentAt(silence: number): number {
    return (this.lastPacket ?? 0) + this.#rhythm.patience(silence);
  }

  /** Takes one RTP datagram; true when it is a sign of life. */
  handleRtp(datagram: Buffer, from: Address, now: number): boolean {
    this.#count(datagram.length);
    const packet = parseRtp(datagram);
    this.#now = now;
    if (packet === undefined) {
      this.drops.add('malformed');
      return false;
    }
    if (!this.#admit(packet, from, now)) return false;
    this.#rhythm.observe(packet.timestamp, now);
    const result = this.#order.push(packet.sequence, packet, now);
    if (result !== undefined) this.drops.add(result);
    return !this.#holder.hasDeparted;
  }

  /** The stream that sends now says goodbye (RFC 3550 §6.6): another sender may begin at once. */
  handleBye(now: number): void {
    this.#holder.depart(now);
  }

  /** Takes a whole frame from a program; `timestamp` in ticks, 32 bits. */
  push(data: Uint8Array, timestamp: number, now: number): void {
    this.#count(data.length);
    this.#holder.touch(now);
    this.#rhythm.observe(timestamp, now);
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

  /** Whether the packet counts; those that do not are counted by reason. */
  #admit(packet: RtpPacket, from: Address, now: number): boolean {
    const admission = this.#holder.admit(packet, from, now);
    switch (admission) {
      case 'next':
        return true;
      case 'resumed':
        this.#order.resume();
        return true;
      case 'first':
        this.#order.reset();
        this.media.restart();
        return true;
      default:
        // Another payload type among the numbers of the stream, such as of error correction: nothing is missing there.
        if (admission === 'payload-type') this.#order.passOver(packet.sequence, now);
        this.drops.add(admission);
        return false;
    }
  }
}

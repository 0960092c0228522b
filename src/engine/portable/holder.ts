import type { DropReason } from './drops.ts';
import type { RtpPacket } from './rtp.ts';

/** A sender, and its stream, hold the leg until they have been silent for this long. Milliseconds. */
const HOLD = 2_000;
/** What comes so long after a goodbye was no straggler. Milliseconds. */
const STRAGGLING = 500;
/** Streams remembered that another one has taken over from. */
const MAX_FORMER = 8;

export interface Address {
  address: string;
  port: number;
}

/**
 * What a packet is to a leg: the next of the stream that holds it; the same after a silence, when its numbers may have
 * begun anew; the first of another stream, or of the same one from elsewhere or after a goodbye.
 */
export type Admission = 'next' | 'resumed' | 'first';

/** Whose packets count on a leg: one stream of one sender at a time. Times in milliseconds. */
export class Holder {
  #sender: Address | undefined;
  #stream: { ssrc: number; payloadType: number } | undefined;
  #lastPacket: number | undefined;
  /** The stream that said goodbye, and when: its stragglers do not bring the leg back to life. */
  #departed: { ssrc: number; at: number } | undefined;
  /** Who sends several streams at once does not get the leg back with each packet: another has taken over from these. */
  #former: number[] = [];

  /** The stream that holds the leg, also after its goodbye. */
  get ssrc(): number | undefined {
    return this.#stream?.ssrc;
  }

  /** When the newest packet came that counted. */
  get lastPacket(): number | undefined {
    return this.#lastPacket;
  }

  /** The stream that holds the leg has said goodbye. */
  get hasDeparted(): boolean {
    return this.#departed !== undefined;
  }

  /** Something came, whoever sent it. */
  touch(now: number): void {
    this.#lastPacket = now;
  }

  /** The stream that holds the leg says goodbye (RFC 3550 §6.6): another sender may begin at once. */
  depart(now: number): void {
    this.#departed = this.ssrc === undefined ? undefined : { ssrc: this.ssrc, at: now };
    this.#sender = undefined;
  }

  /**
   * First sender and first stream first, until they are silent or leave. A new stream of the same sender takes over at
   * once, but for one that it has taken over from before.
   */
  admit(packet: RtpPacket, from: Address, now: number): Admission | DropReason {
    const pause = this.#lastPacket === undefined ? Infinity : now - this.#lastPacket;
    const sender = this.#sender;
    const moved = sender !== undefined && (sender.port !== from.port || sender.address !== from.address);
    if (moved && pause < HOLD) return 'foreign-sender';
    const admission = this.#judge(packet, moved, pause);
    if (admission === 'payload-type' || admission === 'other-stream') return admission;
    if (this.#departed === undefined || now - this.#departed.at >= STRAGGLING) {
      this.#departed = undefined;
      this.#sender = { address: from.address, port: from.port };
    }
    this.#stream = { ssrc: packet.ssrc, payloadType: packet.payloadType };
    this.#lastPacket = now;
    return admission;
  }

  #judge({ ssrc, payloadType }: RtpPacket, moved: boolean, pause: number): Admission | 'payload-type' | 'other-stream' {
    const known = this.#stream;
    if (known === undefined) return 'next';
    const silent = pause >= HOLD;
    const departed = this.#departed?.ssrc === known.ssrc;
    if (known.ssrc !== ssrc) {
      const free = silent || departed;
      if (!free && this.#former.includes(ssrc)) return 'other-stream';
      this.#replace(known.ssrc, free);
      return 'first';
    }
    const gone = departed && pause >= STRAGGLING;
    if (known.payloadType !== payloadType) return silent || gone ? 'first' : 'payload-type';
    if (moved || gone) return 'first';
    return silent ? 'resumed' : 'next';
  }

  /** `free`: nobody holds the leg any more, so whoever was there before may come back. */
  #replace(known: number, free: boolean): void {
    this.#departed = undefined;
    this.#former = [...(free ? [] : this.#former), known].slice(-MAX_FORMER);
  }
}

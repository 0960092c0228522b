import { Buffer } from 'node:buffer';
import type { LegKind } from '../port.ts';
import { HEADER } from './rtp.ts';

/** One RTP packet for every viewer: each writes its own header over the first 12 bytes just before it sends. */
export interface Packet {
  /** Counts the leg's packets without gaps. */
  number: number;
  marker: boolean;
  /** Media time, in ticks; goes on over restarts of the source. */
  timestamp: number;
  /** Header and payload. */
  bytes: Buffer;
}

/** One picture or one Opus packet. */
export interface Frame {
  kind: LegKind;
  /** Decodable without any other frame. */
  keyframe: boolean;
  packets: Packet[];
}

export function makePacket(payload: Buffer, facts: Omit<Packet, 'bytes'>): Packet {
  const bytes = Buffer.allocUnsafe(HEADER + payload.length);
  payload.copy(bytes, HEADER);
  return { ...facts, bytes };
}

/** Packets kept of each leg, for viewers that miss one. */
const KEPT = 1_024;

/** The newest packets of a leg by number. */
export class History {
  readonly #packets: Packet[] = [];

  add(packet: Packet): void {
    this.#packets[packet.number % KEPT] = packet;
  }

  find(number: number): Packet | undefined {
    const packet = this.#packets[number % KEPT];
    return packet?.number === number ? packet : undefined;
  }
}

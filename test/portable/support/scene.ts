import { Buffer } from 'node:buffer';
import type { EngineEvent, LegKind } from '../../../src/engine/port.ts';
import type { Packet } from '../../../src/engine/portable/frame.ts';
import { Histograms } from '../../../src/engine/portable/histogram.ts';
import { Stream } from '../../../src/engine/portable/stream.ts';
import { PPS, rtp, SPS, slice } from './packets.ts';

export const HERE = { address: '127.0.0.1', port: 1_000 };
export const THERE = { address: '127.0.0.1', port: 2_000 };

/** One sender's numbers, time stamps and names. */
export interface Encoder {
  sequence: number;
  timestamp: number;
  /** From picture to picture. Ticks. */
  step: number;
  ssrc: number;
  payloadType: number;
}

/** Its numbers and time stamps are about to wrap. */
export function encoder(facts: Partial<Encoder> = {}): Encoder {
  return { sequence: 65_530, timestamp: 0xffff_0000, step: 3_000, ssrc: 1, payloadType: 96, ...facts };
}

/** A stream, what feeds it, and what becomes of that. Times in milliseconds. */
export class Scene {
  readonly events: EngineEvent[] = [];
  readonly stream: Stream;
  readonly encoder = encoder();
  readonly #seen = { video: 0, audio: 0 };

  constructor(legs: readonly LegKind[] = ['video', 'audio']) {
    const tell = (event: EngineEvent) => void this.events.push(event);
    this.stream = new Stream({ id: 'cam1', legs, silence: 2_000, histograms: new Histograms(), tell });
  }

  /** Sends a picture, one packet for each payload; the last has the marker, or each. */
  picture(
    now: number,
    payloads: readonly Buffer[],
    from = this.encoder,
    address = HERE,
    mark: 'last' | 'each' = 'last',
  ) {
    from.timestamp = (from.timestamp + from.step) >>> 0;
    payloads.forEach((payload, index) => {
      from.sequence = (from.sequence + 1) & 0xffff;
      const marker = mark === 'each' || index === payloads.length - 1;
      this.stream.handleDatagram('video', rtp(payload, { ...from, marker }), address, now);
    });
  }

  keyframe(now: number, from = this.encoder, address = HERE): void {
    this.picture(now, [SPS, PPS, slice('idr')], from, address);
  }

  /** Sends pictures, 30 a second and every `gop`th a keyframe, and looks at the clock as often; gives the time then. */
  play(now: number, count: number, from = this.encoder, address = HERE, gop = 30): number {
    for (let index = 0; index < count; index++) {
      if (index % gop === 0) this.keyframe(now + (index * 100) / 3, from, address);
      else this.picture(now + (index * 100) / 3, [slice('p')], from, address);
      this.stream.poll(now + (index * 100) / 3);
    }
    return now + (count * 100) / 3;
  }

  /** What viewers have been given of a leg since the last call. */
  taken(kind: LegKind = 'video'): Packet[] {
    const packets: Packet[] = [];
    for (;;) {
      const packet = this.stream.leg(kind)?.history.find(this.#seen[kind]);
      if (packet === undefined) return packets;
      packets.push(packet);
      this.#seen[kind]++;
    }
  }

  /** How many of those end a picture. The history holds some hundred. */
  pictures(): number {
    return this.taken().filter(({ marker }) => marker).length;
  }

  get drops(): Record<string, number> {
    return this.stream.snapshot(0).video?.dropped ?? {};
  }

  get warnings(): string[] {
    return this.stream.snapshot(0).warnings.map(({ code }) => code);
  }
}

/** RTCP BYE (RFC 3550 §6.6) of one stream. */
export function bye(ssrc: number): Buffer {
  const packet = Buffer.from('81cb000100000000', 'hex');
  packet.writeUInt32BE(ssrc, 4);
  return packet;
}

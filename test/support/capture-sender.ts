import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { eventually } from './eventually.ts';

const CAPTURES = 'native/core/tests/captures';
/** Hz of each codec's time stamps (RFC 3551; 90,000 of video). */
const CLOCKS: Readonly<Record<string, number>> = { opus: 48000, multiopus: 48000, pcmu: 8000, pcma: 8000, g722: 8000 };

/**
 * Plays a capture to a leg over and over, in real time by its time stamps, as one stream: numbers and time stamps go on
 * from round to round. Each sender is a source of its own, with an SSRC and numbers of its own.
 */
export class CaptureSender {
  readonly #socket = createSocket('udp4');
  readonly #packets: readonly Buffer[];
  readonly #port: number;
  /** Ticks per millisecond, and those of a round. */
  readonly #rate: number;
  readonly #round: number;
  readonly #first: number;
  readonly #source = {
    ssrc: random(2 ** 32),
    number: random(2 ** 16),
    timestamp: random(2 ** 32),
  };
  #sent = 0;
  #frames = 0;
  #timer: NodeJS.Timeout | undefined;
  /** When the capture's first packet would have been sent, had nothing been held. Milliseconds. */
  #start = performance.now();
  /** Frame of the capture after which nothing is sent. */
  #last: number | undefined;
  #held = false;
  #stopped = false;

  /** `name` of the capture, and the port of the leg. */
  constructor(name: string, port: number | undefined) {
    if (port === undefined) throw new Error(`no port for ${name}`);
    this.#port = port;
    this.#packets = packetsOf(readFileSync(`${CAPTURES}/${name}.rtp`));
    this.#rate = (CLOCKS[name.split('-')[0] ?? ''] ?? 90_000) / 1000;
    const stamps = this.#packets.map((packet) => packet.readUInt32BE(4));
    const [first = 0, last = 0] = [stamps[0], stamps.at(-1)];
    this.#first = first;
    this.#round = Math.round((elapsed(first, last) / (new Set(stamps).size - 1)) * new Set(stamps).size);
    // A test that fails ends all the same.
    this.#socket.unref();
    this.#send();
  }

  /** Frames of video that have been sent. */
  get frames(): number {
    return this.#frames;
  }

  /** Sends nothing after that frame of the capture, the first being 0, until `resume`. Gives the frames sent by then. */
  async holdAfter(frame: number): Promise<number> {
    this.#last = frame;
    await eventually('a sender that pauses', () => this.#held, 30_000);
    return this.#frames;
  }

  /** Goes on as if no time had passed. */
  resume(): void {
    if (!this.#held || this.#stopped) return;
    this.#last = undefined;
    this.#held = false;
    this.#start = performance.now() - this.#due();
    this.#send();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  /** Of the next packet, in milliseconds from the first. */
  #due(): number {
    const { length } = this.#packets;
    const stamp = this.#packets[this.#sent % length]?.readUInt32BE(4) ?? 0;
    return (Math.floor(this.#sent / length) * this.#round + elapsed(this.#first, stamp)) / this.#rate;
  }

  #send(): void {
    const { length } = this.#packets;
    while (this.#start + this.#due() <= performance.now()) {
      const index = this.#sent % length;
      const packet = Buffer.from(this.#packets[index] ?? []);
      const ticks = Math.floor(this.#sent / length) * this.#round + elapsed(this.#first, packet.readUInt32BE(4));
      packet.writeUInt16BE((this.#source.number + this.#sent) % 2 ** 16, 2);
      packet.writeUInt32BE((this.#source.timestamp + ticks) % 2 ** 32, 4);
      packet.writeUInt32BE(this.#source.ssrc, 8);
      this.#socket.send(packet, this.#port, '127.0.0.1');
      this.#sent++;
      if ((packet.readUInt8(1) & 0x80) === 0) continue;
      this.#frames++;
      this.#held = this.#last === this.#frameOf(index);
      if (this.#held) return;
    }
    this.#timer = setTimeout(() => this.#send(), this.#start + this.#due() - performance.now()).unref();
  }

  /** Which frame of the capture a packet ends. */
  #frameOf(index: number): number {
    return this.#packets.slice(0, index).filter((packet) => (packet.readUInt8(1) & 0x80) !== 0).length;
  }
}

function packetsOf(capture: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  for (let at = 0; at < capture.length; at += 2 + capture.readUInt16BE(at)) {
    packets.push(capture.subarray(at + 2, at + 2 + capture.readUInt16BE(at)));
  }
  return packets;
}

function elapsed(from: number, to: number): number {
  return (to - from) >>> 0;
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}

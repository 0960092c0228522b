import { Buffer } from 'node:buffer';
import type { AudioFacts, LegKind, VideoFacts } from '../port.ts';
import { nalUnits } from './access-unit.ts';
import { Timeline } from './clock.ts';
import type { Drops } from './drops.ts';
import { type Frame, makePacket } from './frame.ts';
import { parseOpus } from './opus.ts';
import { MAX_SOUND, type RtpPacket } from './rtp.ts';
import { TICKS } from './time.ts';
import { type AccessUnit, Assembler } from './video.ts';

/** An AAC frame lasts 1024 samples (ISO 14496-3 §4.5.1.1); no Opus packet does. */
const AAC_STEP = 1_024;
/** So many of those steps in a row are no accident. */
const AAC_EVIDENCE = 10;
/** Static payload types of sound that is no Opus (RFC 3551 table 4). */
const LAST_STATIC = 18;
/** A time stamp that differs by less from what the packets' durations say is jitter. 20 ms. */
const SOUND_JITTER = 960;

/** Told of each frame; `jumped`: the source's clock had. */
export type FrameOutput = (frame: Frame, timestamp: number, jumped: boolean) => void;

/** A leg's packets in order, to frames: decodable, numbered without gaps, on one continuous clock. */
export class Media {
  readonly #kind: LegKind;
  readonly #drops: Drops;
  readonly #out: FrameOutput;
  readonly #assembler: Assembler;
  readonly #timeline: Timeline;
  #now = 0;
  #nextPacket = 0;
  #frames = 0;
  #last: number | undefined;
  /** Mean ticks from frame to frame, smoothed. */
  #step: number | undefined;
  #keyframe: { at: number; frame: number; timestamp: number } | undefined;
  #gop: { frames: number; ticks: number } | undefined;
  #sps: AccessUnit['sps'];
  #channels: 1 | 2 | undefined;
  #sound = newSound();
  /** B slices were seen: WebRTC cannot reorder. */
  bidirectional = false;
  /** The sound is AAC, or what its payload type says. */
  notOpus = false;
  /** A program pushed what is neither Annex B nor AVCC. */
  notH264 = false;

  constructor(kind: LegKind, drops: Drops, out: FrameOutput) {
    this.#kind = kind;
    this.#drops = drops;
    this.#out = out;
    this.#timeline = new Timeline(kind);
    this.#assembler = new Assembler(drops, (unit) => this.#picture(unit));
  }

  /** When the newest IDR picture came. */
  get keyframeAt(): number | undefined {
    return this.#keyframe?.at;
  }

  get annexB(): boolean {
    return this.#assembler.annexB;
  }

  get hevc(): boolean {
    return this.#assembler.hevc;
  }

  /** `now` in milliseconds, as everywhere. */
  videoFacts(active: boolean, now: number): VideoFacts {
    const { profileLevelId, width, height, interlaced } = this.#sps ?? {};
    return {
      active,
      ...(profileLevelId !== undefined && { profileLevelId }),
      ...(interlaced !== undefined && { interlaced }),
      ...(width !== undefined && { width }),
      ...(height !== undefined && { height }),
      ...(this.#step !== undefined && { framesPerSecond: (TICKS.video * 1000) / this.#step }),
      ...(this.#gop && { gopFrames: this.#gop.frames, gopSeconds: this.#gop.ticks / TICKS.video / 1000 }),
      bFrames: this.bidirectional,
      ...(this.#keyframe && { keyframeAge: (now - this.#keyframe.at) / 1000 }),
    };
  }

  audioFacts(active: boolean): AudioFacts {
    return { active, notOpus: this.notOpus, ...(this.#channels && { channels: this.#channels }) };
  }

  /** The outgoing media time of one of the source's time stamps. */
  project(timestamp: number): number | undefined {
    return this.#timeline.project(timestamp);
  }

  packet(packet: RtpPacket, now: number): void {
    this.#now = now;
    if (this.#kind === 'video') this.#assembler.push(packet);
    else if (packet.payload.length > 0) this.#hear(packet.payload, packet.timestamp, packet.payloadType);
  }

  /** A whole frame: an access unit, as Annex B or AVCC, or an Opus packet. `timestamp` in ticks, 32 bits. */
  push(data: Uint8Array, timestamp: number, now: number): void {
    this.#now = now;
    const bytes = Buffer.from(data);
    if (this.#kind === 'audio') {
      this.#hear(bytes, timestamp);
    } else {
      const units = nalUnits(bytes);
      this.notH264 ||= units === undefined;
      this.#assembler.pushAccessUnit(units, timestamp);
    }
  }

  lost(count: number): void {
    this.#drops.add('lost', count);
    this.#assembler.lost();
  }

  /** The source begins anew. */
  restart(): void {
    this.#assembler.restart();
    this.#timeline.restart();
    this.#last = undefined;
    this.#keyframe = undefined;
    this.#sound = newSound();
  }

  #picture(unit: AccessUnit): void {
    this.#sps = unit.sps;
    this.bidirectional ||= unit.bidirectional;
    const { timestamp, jumped } = this.#timeline.map(unit.timestamp, this.#now);
    if (unit.keyframe) {
      const before = this.#keyframe;
      this.#keyframe = { at: this.#now, frame: this.#frames, timestamp };
      if (before && !jumped) this.#gop = { frames: this.#frames - before.frame, ticks: timestamp - before.timestamp };
    }
    this.#give(unit.payloads, unit.keyframe, timestamp, jumped);
  }

  #hear(packet: Buffer, timestamp: number, payloadType?: number): void {
    const facts = parseOpus(packet);
    this.#watchForAac(timestamp);
    this.notOpus ||= payloadType !== undefined && payloadType <= LAST_STATIC;
    if (facts === undefined || packet.length > MAX_SOUND || this.notOpus) {
      this.#drops.add(this.notOpus ? 'not-opus' : facts === undefined ? 'malformed' : 'oversized');
      return;
    }
    this.#channels = facts.channels;
    const { timestamp: natural, jumped } = this.#timeline.map(timestamp, this.#now);
    // Browsers hear jitter of time stamps; packets that follow each other take theirs from the one before.
    const { next } = this.#sound;
    const continued = next !== undefined && !jumped && Math.abs(next - natural) <= SOUND_JITTER ? next : natural;
    this.#sound.next = continued + facts.duration;
    this.#give([packet], true, continued, jumped);
  }

  #watchForAac(timestamp: number): void {
    const { before, aacSteps } = this.#sound;
    this.#sound.aacSteps = before !== undefined && ((timestamp - before) | 0) === AAC_STEP ? aacSteps + 1 : 0;
    this.#sound.before = timestamp;
    this.notOpus = this.#sound.aacSteps >= AAC_EVIDENCE;
  }

  #give(payloads: readonly Buffer[], keyframe: boolean, timestamp: number, jumped: boolean): void {
    const step = this.#last === undefined || jumped ? 0 : timestamp - this.#last;
    this.#last = timestamp;
    if (step > 0) this.#step = this.#step === undefined ? step : this.#step + (step - this.#step) / 16;
    this.#frames++;
    const packets = payloads.map((payload, index) => {
      const marker = this.#kind === 'video' && index === payloads.length - 1;
      return makePacket(payload, { number: this.#nextPacket++, marker, timestamp });
    });
    this.#out({ kind: this.#kind, keyframe, packets }, timestamp, jumped);
  }
}

interface Sound {
  /** The source's newest time stamp. */
  before: number | undefined;
  /** Where the next packet begins if nothing is missing, on the outgoing line. */
  next: number | undefined;
  /** Consecutive steps of an AAC frame. */
  aacSteps: number;
}

function newSound(): Sound {
  return { before: undefined, next: undefined, aacSteps: 0 };
}

import { Buffer } from 'node:buffer';
import type { AudioFacts, LegKind, VideoFacts } from '../port.ts';
import { nalUnits } from './access-unit.ts';
import { Timeline } from './clock.ts';
import type { Drops } from './drops.ts';
import { type Frame, makePacket } from './frame.ts';
import { parseOpus } from './opus.ts';
import { Pace } from './pace.ts';
import { MAX_SOUND, type RtpPacket } from './rtp.ts';
import { type Codec, Sound } from './sound.ts';
import { TICKS } from './time.ts';
import { type AccessUnit, Assembler } from './video.ts';

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
  /** The highest media time so far. */
  #last: number | undefined;
  /** Mean ticks from frame to frame, smoothed. */
  #step: number | undefined;
  #keyframe: { frame: number; timestamp: number } | undefined;
  #gop: { frames: number; ticks: number } | undefined;
  #channels: 1 | 2 | undefined;
  #sound = new Sound();
  /** Where the next Opus packet begins if nothing is missing, on the outgoing line. */
  #nextSound: number | undefined;
  #timestampBreaks = 0;
  #pace = new Pace();
  /** The parameter set in force. */
  sps: AccessUnit['sps'];
  /** When the newest IDR picture came. */
  keyframeAt: number | undefined;
  /** B slices were seen: WebRTC cannot reorder. */
  bidirectional = false;
  /** The sound is something else than Opus. */
  wrongCodec: Codec | undefined;
  /** The time stamps do not run as fast as time does. */
  wrongPace = false;
  /** The profile changed while the stream went on, which players that have joined cannot follow. */
  profileChanged = false;
  /** A program pushed what is neither Annex B nor AVCC. */
  notH264 = false;

  constructor(kind: LegKind, drops: Drops, out: FrameOutput) {
    this.#kind = kind;
    this.#drops = drops;
    this.#out = out;
    this.#timeline = new Timeline(kind);
    this.#assembler = new Assembler(drops, (unit) => this.#picture(unit));
  }

  get annexB(): boolean {
    return this.#assembler.annexB;
  }

  get hevc(): boolean {
    return this.#assembler.hevc;
  }

  /** `now` in milliseconds, as everywhere. */
  videoFacts(active: boolean, now: number): VideoFacts {
    const { profileLevelId, width, height, interlaced } = this.sps ?? {};
    return {
      active,
      codec: 'h264',
      ...(profileLevelId !== undefined && { parameters: { 'profile-level-id': profileLevelId } }),
      ...(interlaced !== undefined && { interlaced }),
      ...(width !== undefined && { width }),
      ...(height !== undefined && { height }),
      ...(this.#step !== undefined && { framesPerSecond: (TICKS.video * 1000) / this.#step }),
      ...(this.#gop && { gopFrames: this.#gop.frames, gopSeconds: this.#gop.ticks / TICKS.video / 1000 }),
      bFrames: this.bidirectional,
      ...(this.keyframeAt !== undefined && { keyframeAge: (now - this.keyframeAt) / 1000 }),
    };
  }

  audioFacts(active: boolean): AudioFacts {
    const channels = this.#channels && { channels: this.#channels };
    return {
      active,
      codec: 'opus',
      wrongCodec: this.wrongCodec !== undefined,
      timestampBreaks: this.#timestampBreaks,
      ...channels,
    };
  }

  /** The outgoing media time of one of the source's time stamps. */
  project(timestamp: number): number | undefined {
    return this.#timeline.project(timestamp);
  }

  packet(packet: RtpPacket, now: number): void {
    this.#now = now;
    if (this.#pace.observe(packet.timestamp, TICKS[this.#kind], now)) this.wrongPace = true;
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
    this.#sound = new Sound();
    this.#nextSound = undefined;
    this.#pace = new Pace();
  }

  #picture(unit: AccessUnit): void {
    // profile_idc and its constraints; the level may change at will.
    const profile = unit.sps?.profileLevelId.slice(0, 4);
    this.profileChanged ||= this.sps !== undefined && this.sps.profileLevelId.slice(0, 4) !== profile;
    this.sps = unit.sps;
    this.bidirectional ||= unit.bidirectional;
    const { timestamp, jumped } = this.#timeline.map(unit.timestamp, this.#now);
    if (unit.keyframe) {
      const before = this.#keyframe;
      this.keyframeAt = this.#now;
      this.#keyframe = { frame: this.#frames, timestamp };
      if (before && !jumped) this.#gop = { frames: this.#frames - before.frame, ticks: timestamp - before.timestamp };
    }
    this.#give(unit.payloads, unit.keyframe, timestamp, jumped);
  }

  #hear(packet: Buffer, timestamp: number, payloadType?: number): void {
    const opus = parseOpus(packet);
    const afterSilence = this.#sound.isSilent;
    this.wrongCodec = this.#sound.examine(packet, opus, timestamp, payloadType);
    if (this.wrongCodec !== undefined || opus === undefined || packet.length > MAX_SOUND) {
      this.#drops.add(this.wrongCodec !== undefined ? 'wrong-codec' : opus === undefined ? 'malformed' : 'oversized');
      return;
    }
    this.#channels = opus.channels;
    const { timestamp: natural, jumped } = this.#timeline.map(timestamp, this.#now);
    const stamp = this.#continued(natural, afterSilence, jumped);
    this.#nextSound = stamp + opus.duration;
    this.#give([packet], true, stamp, jumped);
  }

  /** Browsers hear jitter of time stamps; packets that follow each other take theirs from the one before. */
  #continued(natural: number, afterSilence: boolean, jumped: boolean): number {
    const next = this.#nextSound;
    if (next === undefined || jumped) return natural;
    if (Math.abs(next - natural) <= SOUND_JITTER) return next;
    if (!(afterSilence && natural > next)) this.#timestampBreaks++;
    return natural;
  }

  #give(payloads: readonly Buffer[], keyframe: boolean, natural: number, jumped: boolean): void {
    const last = this.#last ?? natural - 1;
    const back = last - natural;
    // Players take two frames under one time stamp for one. B-frames go back by more than 1 ms.
    const timestamp = back >= 0 && back < TICKS[this.#kind] ? last + 1 : natural;
    if (this.#last !== undefined && !jumped) {
      // Frames that are shown before others that came before them add nothing to the time.
      const step = Math.max(0, timestamp - last);
      this.#step = this.#step === undefined ? step : this.#step + (step - this.#step) / 16;
    }
    this.#last = Math.max(last, timestamp);
    this.#frames++;
    const packets = payloads.map((payload, index) => {
      const marker = this.#kind === 'video' && index === payloads.length - 1;
      return makePacket(payload, { number: this.#nextPacket++, marker, timestamp });
    });
    this.#out({ kind: this.#kind, keyframe, packets }, timestamp, jumped);
  }
}

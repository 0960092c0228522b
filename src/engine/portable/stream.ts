import type { Buffer } from 'node:buffer';
import type { EngineEvent, LegKind, StreamFacts, StreamSnapshot } from '../port.ts';
import { StreamClock } from './clock.ts';
import type { Frame } from './frame.ts';
import type { Histograms } from './histogram.ts';
import type { Address } from './holder.ts';
import { Leg } from './leg.ts';
import { parseRtcp, type Report } from './rtcp.ts';
import { isRtcp } from './rtp.ts';
import { TICKS } from './time.ts';
import type { Viewer } from './viewer.ts';
import { type Warning, warningsOf } from './warnings.ts';

/** Sender reports kept that came before their stream's first packet, as FFmpeg's do. */
const MAX_EARLY_REPORTS = 4;

export interface StreamTerms {
  id: string;
  legs: readonly LegKind[];
  /** A leg without a packet for this long is inactive, or longer where its frames are rare. Milliseconds. */
  silence: number;
  histograms: Histograms;
  tell(event: EngineEvent): void;
}

/** A stream: its legs, their common clock, and who watches. */
export class Stream {
  readonly #terms: StreamTerms;
  readonly #legs: ReadonlyMap<LegKind, Leg>;
  readonly #clock = new StreamClock();
  readonly #warnings = new Map<string, Warning>();
  #early: (Report & { type: 'sender' })[] = [];
  #now = 0;
  /** Of a pushed frame, on the program's clock. Milliseconds. */
  #capture: number | undefined;
  readonly viewers = new Set<Viewer>();
  nacks = 0;
  retransmissions = 0;
  keyframeRequests = 0;

  constructor(terms: StreamTerms) {
    this.#terms = terms;
    this.#legs = new Map(terms.legs.map((kind) => [kind, new Leg(kind, (...frame) => this.#give(...frame))]));
  }

  leg(kind: LegKind): Leg | undefined {
    return this.#legs.get(kind);
  }

  /** The media time of a moment, in ticks. */
  mediaTime(kind: LegKind, now: number): number | undefined {
    return this.#clock.at(kind, now);
  }

  /** Takes a datagram from a leg's RTP or RTCP port. RTCP finds its leg by SSRC, whichever port it came to. */
  handleDatagram(kind: LegKind, datagram: Buffer, from: Address, now: number): void {
    this.#now = now;
    const leg = this.#legs.get(kind);
    if (isRtcp(datagram)) {
      for (const report of parseRtcp(datagram)) this.#handleReport(report);
    } else if (leg?.handleRtp(datagram, from, now)) {
      this.#alive(leg);
      this.#adoptEarlyReport(leg);
    }
  }

  /** Takes a frame from a program; its time in milliseconds, on a clock that both legs share. */
  push(leg: Leg, data: Uint8Array, capture: number, now: number): void {
    this.#now = now;
    this.#capture = capture;
    leg.push(data, Math.round(capture * TICKS[leg.kind]) % 2 ** 32, now);
    this.#capture = undefined;
    this.#alive(leg);
  }

  /** Gives up on late packets, notices silence, warns, reports to viewers. */
  poll(now: number): void {
    this.#now = now;
    for (const leg of this.#legs.values()) {
      leg.poll(now);
      if (leg.active && now >= leg.silentAt(this.#terms.silence)) this.#inactive(leg, 'silent');
    }
    for (const warning of warningsOf([...this.#legs.values()])) this.#warn(warning);
    for (const viewer of this.viewers) viewer.poll(now);
  }

  facts(now: number): StreamFacts {
    const video = this.#legs.get('video');
    const audio = this.#legs.get('audio');
    return {
      ...(video && { video: video.media.videoFacts(video.active, now) }),
      ...(audio && { audio: audio.media.audioFacts(audio.active) }),
    };
  }

  snapshot(now: number): StreamSnapshot {
    const video = this.#legs.get('video');
    const audio = this.#legs.get('audio');
    return {
      id: this.#terms.id,
      facts: this.facts(now),
      ...(video && { video: video.counters() }),
      ...(audio && { audio: audio.counters() }),
      viewers: this.viewers.size,
      nacks: this.nacks,
      retransmissions: this.retransmissions,
      keyframeRequests: this.keyframeRequests,
      warnings: [...this.#warnings.values()],
    };
  }

  #give(frame: Frame, timestamp: number, jumped: boolean): void {
    const { kind } = frame;
    if (jumped) this.#clock.restart(kind);
    if (this.#capture !== undefined) this.#clock.capture(kind, this.#capture, timestamp);
    this.#clock.observe(kind, timestamp, this.#now);
    if (this.viewers.size === 0) return;
    for (const viewer of this.viewers) viewer.deliver(frame, this.#now);
    const { sendBatchPackets, frameMessages, fanoutLatencySeconds } = this.#terms.histograms;
    sendBatchPackets.observe(frame.packets.length * this.viewers.size);
    if (kind === 'video') frameMessages.observe(frame.packets.length);
    fanoutLatencySeconds.observe((performance.now() - this.#now) / 1000);
  }

  #alive(leg: Leg): void {
    if (leg.active) return;
    leg.active = true;
    leg.began = this.#now;
    this.#terms.tell({ type: 'leg-active', stream: this.#terms.id, leg: leg.kind });
  }

  #inactive(leg: Leg, reason: 'bye' | 'silent'): void {
    if (!leg.active) return;
    leg.active = false;
    this.#terms.tell({ type: 'leg-inactive', stream: this.#terms.id, leg: leg.kind, reason });
  }

  #handleReport(report: Report): void {
    if (report.type === 'sender') {
      this.#handleSenderReport(report);
    } else if (report.type === 'bye') {
      for (const leg of this.#legs.values()) {
        if (leg.ssrc === undefined || !report.ssrcs.includes(leg.ssrc)) continue;
        leg.handleBye(this.#now);
        this.#inactive(leg, 'bye');
      }
    }
  }

  #handleSenderReport(report: Report & { type: 'sender' }): void {
    const leg = [...this.#legs.values()].find(({ ssrc }) => ssrc === report.ssrc);
    const timestamp = leg?.media.project(report.timestamp);
    if (leg !== undefined && timestamp !== undefined) {
      this.#clock.report(leg.kind, report.ntp, timestamp);
    } else {
      const others = this.#early.filter(({ ssrc }) => ssrc !== report.ssrc);
      this.#early = [report, ...others].slice(0, MAX_EARLY_REPORTS);
    }
  }

  #adoptEarlyReport({ ssrc }: Leg): void {
    const report = this.#early.find((early) => early.ssrc === ssrc);
    if (report === undefined) return;
    this.#early = this.#early.filter((early) => early !== report);
    this.#handleSenderReport(report);
  }

  #warn(warning: Warning): void {
    if (this.#warnings.has(warning.code)) return;
    this.#warnings.set(warning.code, warning);
    this.#terms.tell({ type: 'warning', stream: this.#terms.id, ...warning });
  }
}

import type { Buffer } from 'node:buffer';
import type { EndReason, LegKind, SessionTotals, Transport, ViewerSnapshot, ViewerSpec } from '../port.ts';
import type { Frame } from './frame.ts';
import type { Histograms } from './histogram.ts';
import type { Library } from './library.ts';
import type { MuxPort } from './mux.ts';
import { Peer } from './peer.ts';
import { parseRtcp, type Report } from './rtcp.ts';
import type { Stream } from './stream.ts';
import { middle, TICKS, wallTime } from './time.ts';
import { Track } from './track.ts';

/** Between a packet and its repair, where the viewer has not reported yet. Milliseconds. */
const DEFAULT_ROUND_TRIP = 40;
/** The library gives a packet once for each SSRC that it names: twins come together. Milliseconds. */
const TWIN = 5;
/** A viewer that sends more RTCP packets a second is no player; what it sends would pile up. */
const MAX_RTCP = 1_000;

export interface ViewerParts {
  library: Library;
  mux: MuxPort;
  histograms: Histograms;
  connected(session: string): void;
  ended(session: string, reason: EndReason): void;
}

/** One viewer: its peer, its tracks, and what it reports. */
export class Viewer {
  readonly #spec: ViewerSpec;
  readonly #stream: Stream;
  readonly #parts: ViewerParts;
  readonly #peer: Peer;
  readonly #tracks: Track[];
  readonly #since = performance.now();
  #connected = false;
  #over = false;
  #packets = 0;
  #bytes = 0;
  #retransmissions = 0;
  /** As the viewer reports: seconds, ratio, seconds. */
  #rtt: number | undefined;
  #loss: number | undefined;
  #jitter: number | undefined;
  readonly #lost = new Map<LegKind, number>();
  #rtcp = { second: 0, packets: 0 };
  readonly #newest = new Map<Track, { packet: Buffer; at: number }>();

  constructor(spec: ViewerSpec, stream: Stream, parts: ViewerParts) {
    this.#spec = spec;
    this.#stream = stream;
    this.#parts = parts;
    this.#peer = new Peer(parts.mux, spec.id, {
      connected: () => {
        this.#connected = true;
        parts.connected(spec.id);
      },
      ended: (reason) => this.#end(reason),
      message: (track, packet) => this.#handleRtcp(track, packet),
    });
    this.#tracks = spec.media.map((line, index) => new Track(line, (packet) => this.#peer.send(index, packet)));
  }

  async answer(): Promise<Transport> {
    const description = await this.#peer.answer(this.#parts.library, this.#spec);
    this.#stream.viewers.add(this);
    return { description };
  }

  /** Sends a frame. */
  deliver(frame: Frame, now: number): void {
    const leg = this.#stream.leg(frame.kind);
    if (leg === undefined || !this.#connected || this.#over) return;
    for (const track of this.#tracks) {
      if (track.kind !== frame.kind) continue;
      const begins = !track.started;
      const bytes = track.deliver(frame);
      if (bytes === undefined) {
        leg.drops.add('viewer-awaiting-keyframe', frame.packets.length);
        continue;
      }
      this.#packets += frame.packets.length;
      this.#bytes += bytes;
      leg.out.packets += frame.packets.length;
      leg.out.bytes += bytes;
      if (begins && frame.kind === 'video') {
        this.#parts.histograms.firstKeyframeSeconds.observe((now - this.#since) / 1000);
      }
      this.#report(track, now);
    }
  }

  /** Sends the sender reports that are due. */
  poll(now: number): void {
    for (const track of this.#tracks) this.#report(track, now);
  }

  addCandidate(mid: string, candidate: string): boolean {
    return this.#peer.addCandidate(mid, candidate);
  }

  snapshot(now: number): ViewerSnapshot {
    const pair = this.#peer.candidatePair();
    return {
      id: this.#spec.id,
      stream: this.#spec.stream,
      state: this.#state(),
      ageSeconds: (now - this.#since) / 1000,
      packetsOut: this.#packets,
      bytesOut: this.#bytes,
      retransmissions: this.#retransmissions,
      ...(this.#rtt !== undefined && { rttSeconds: this.#rtt }),
      ...(this.#loss !== undefined && { lossRatio: this.#loss }),
      ...(this.#jitter !== undefined && { jitterSeconds: this.#jitter }),
      ...(pair !== undefined && { candidatePair: pair }),
    };
  }

  /** Resolves when nothing of it is left, with what it was sent. */
  async close(): Promise<SessionTotals> {
    this.#over = true;
    this.#stream.viewers.delete(this);
    await this.#peer.close();
    const lost = [...this.#lost.values()].reduce((sum, packets) => sum + packets, 0);
    const lossRatio = Math.min(1, lost / Math.max(1, this.#packets));
    return { packets: this.#packets, bytes: this.#bytes, ...(this.#loss !== undefined && { lossRatio }) };
  }

  #state(): ViewerSnapshot['state'] {
    if (!this.#connected) return 'connecting';
    return this.#tracks.some((track) => track.started) ? 'playing' : 'waiting-for-keyframe';
  }

  #end(reason: EndReason): void {
    if (this.#over) return;
    this.#over = true;
    this.#parts.ended(this.#spec.id, reason);
  }

  #report(track: Track, now: number): void {
    track.report(wallTime(now), this.#stream.mediaTime(track.kind, now), now);
  }

  #handleRtcp(index: number, packet: Buffer): void {
    const track = this.#tracks[index];
    const now = performance.now();
    const second = Math.floor(now / 1000);
    this.#rtcp = { second, packets: this.#rtcp.second === second ? this.#rtcp.packets + 1 : 1 };
    if (this.#rtcp.packets > MAX_RTCP) this.#end('engine-error');
    if (track === undefined || this.#over) return;
    const before = this.#newest.get(track);
    if (before && now - before.at < TWIN && before.packet.equals(packet)) return;
    this.#newest.set(track, { packet, at: now });
    // It also comes to each track that it names.
    for (const report of parseRtcp(packet)) {
      if ('ssrc' in report && report.ssrc === track.ssrc) this.#handleReport(track, report, now);
    }
  }

  #handleReport(track: Track, report: Report, now: number): void {
    if (report.type === 'nack') {
      const leg = this.#stream.leg(track.kind);
      const roundTrip = this.#rtt === undefined ? DEFAULT_ROUND_TRIP : this.#rtt * 1000;
      const count = leg === undefined ? 0 : track.repair(report.sequences, leg.history, roundTrip, now);
      this.#retransmissions += count;
      this.#stream.nacks++;
      this.#stream.retransmissions += count;
    } else if (report.type === 'keyframe') {
      // FFmpeg cannot be asked for one.
      this.#stream.keyframeRequests++;
    } else if (report.type === 'reception') {
      this.#learn(track.kind, report, now);
    }
  }

  /** Loss, jitter, and the round trip from the echoed sender report (RFC 3550 §6.4.1). */
  #learn(kind: LegKind, report: Report & { type: 'reception' }, now: number): void {
    this.#loss = report.fractionLost;
    this.#lost.set(kind, report.lost);
    this.#jitter = report.jitter / TICKS[kind] / 1000;
    this.#parts.histograms.lossRatio.observe(report.fractionLost);
    if (report.lastReport === 0) return;
    const trip = (middle(wallTime(now)) - report.lastReport - report.delay) | 0;
    // A report that claims to answer the future, or a minute ago, says nothing.
    if (trip < 0 || trip >= 60 * 65_536) return;
    this.#rtt = trip / 65_536;
    this.#parts.histograms.rttSeconds.observe(this.#rtt);
  }
}

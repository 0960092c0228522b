import type { Codec } from '../engine/codecs.ts';
import type { Ingress, LegKind, StreamPorts } from '../engine/port.ts';
import type { Plan } from './ffmpeg/plan.ts';
import type { Supervision } from './ffmpeg/supervisor.ts';

export type SourceKind = 'rtp' | 'ffmpeg' | 'whip' | 'whep' | 'clip' | 'push';

/** The FFmpeg of a stream: how it is doing, and what becomes of each leg. */
export type FfmpegReport = Supervision & Plan;

/** What a source knows beyond the engine, by its kind. For everybody's eyes: no secrets, no addresses. */
export interface SourceReport {
  ffmpeg?: FfmpegReport;
  pull?: PullReport;
}

/** Where a stream's media comes from: what the engine opens for it, and what runs beside the engine to feed it. */
export interface Source {
  readonly kind: SourceKind;
  /**
   * What the engine is to open; a function when the source must look at its input first. Rejects when it never can work,
   * and soon after the signal has fired: the stream is to go. While it looks, the stream is not there yet.
   */
  readonly ingress: Ingress | ((signal: AbortSignal) => Promise<Ingress>);
  /** The legs that the input turned out to have, of those that the ingress names; undefined while that is not known. */
  legs?(): readonly LegKind[] | undefined;
  /** Called before `start`: what a source needs to pull from another server. */
  pullWith?(puller: Puller): void;
  /**
   * Called once the engine has opened the ingress on `ports`. Rejects when the source can never work, and soon after the
   * signal has fired: the stream is to go.
   */
  start(stream: string, ports: StreamPorts, signal: AbortSignal): Promise<void>;
  /** Ends what `start` began, also when that failed or never came to it; idempotent. */
  stop(): Promise<void>;
  /** For stats and logs, with secrets masked. */
  describe(): string;
  /** What a publisher may send, in our order of preference; absent: all that publishers send by themselves. */
  readonly codecs?: readonly Codec[];
  /** A second WHIP publisher takes the place of the first, whatever that one does. */
  readonly takeover?: boolean;
  /** For stats and metrics; absent when the engine knows everything. */
  report?(): SourceReport;
}

/** How a WHEP client of another server is doing. */
export interface PullReport {
  /** waiting: for its next attempt. */
  state: 'connecting' | 'playing' | 'waiting' | 'stopped';
  /** Attempts after the first. */
  restarts: number;
  /** Why the last session ended, or did not begin; without secrets. */
  lastError?: string;
  /** The streams that what plays has come through, the nearest first, by the marks that servers gave them. */
  path: readonly string[];
}

/** The engine's side of a WHEP client, for one stream. */
export interface Puller {
  /** Names the stream among those of all servers, so that a loop can be seen. */
  readonly mark: string;
  /** Packets arrive. */
  flows(): boolean;
  /**
   * Makes a session, which is to be closed whatever becomes of it. `announce` are addresses that lead here besides those
   * of the machine's interfaces.
   */
  offer(legs: readonly LegKind[], announce: readonly string[]): Promise<Pull>;
}

export interface Pull {
  /** To be sent to the other server. */
  readonly offer: string;
  /** An SDP fragment (RFC 8840) that belongs to it and adds nothing. */
  readonly fragment: string;
  /** Takes the other server's answer; resolves when media can flow. Rejects with a `Failure` that says why it cannot. */
  accept(answer: string): Promise<void>;
  /** Aborts when the session is over; the reason is one in words. */
  readonly over: AbortSignal;
  /** Resolves when nothing is left of it; idempotent. */
  close(): Promise<void>;
}

import type { Ingress, StreamPorts } from '../engine/port.ts';
import type { Plan } from './ffmpeg/plan.ts';
import type { Supervision } from './ffmpeg/supervisor.ts';

export type SourceKind = 'rtp' | 'ffmpeg' | 'whip' | 'whep' | 'clip' | 'push';

/** The FFmpeg of a stream: how it is doing, and what becomes of each leg. */
export type FfmpegReport = Supervision & Plan;

/** What a source knows beyond the engine, by its kind. For everybody's eyes: no secrets, no addresses. */
export interface SourceReport {
  ffmpeg?: FfmpegReport;
}

/** Where a stream's media comes from: what the engine opens for it, and what runs beside the engine to feed it. */
export interface Source {
  readonly kind: SourceKind;
  /** What the engine is to open; a function when the source must look at its input first (rejects when it never can work). */
  readonly ingress: Ingress | (() => Promise<Ingress>);
  /** Called once the engine has opened the ingress on `ports`. Rejects when the source can never work. */
  start(stream: string, ports: StreamPorts): Promise<void>;
  /** Ends what `start` began; idempotent. */
  stop(): Promise<void>;
  /** For stats and logs, with secrets masked. */
  describe(): string;
  /** A second WHIP publisher takes the place of the first, whatever that one does. */
  readonly takeover?: boolean;
  /** For stats and metrics; absent when the engine knows everything. */
  report?(): SourceReport;
}

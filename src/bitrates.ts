import type { StreamSnapshot } from './engine/port.ts';

/** Bits per second. */
export interface Bitrate {
  in: number;
  out: number;
}

interface Sample {
  at: number;
  bytes: Bitrate;
  rate: Bitrate;
}

/** A rate over less than this says more about packets than about streams. Milliseconds. */
const WINDOW = 1000;

/** Bitrates from the engine's byte counters, between snapshots: whoever asks, and however often, sees the same. */
export class Bitrates {
  readonly #samples = new Map<string, Sample>();

  /** `since`: when the counters stood at zero; both times as of `performance.now()`. */
  measure(stream: StreamSnapshot, since: number, now: number): Bitrate {
    const last = this.#samples.get(stream.id) ?? { at: since, bytes: { in: 0, out: 0 }, rate: { in: 0, out: 0 } };
    if (now - last.at < WINDOW) return last.rate;
    const bytes = { in: total(stream, 'bytesIn'), out: total(stream, 'bytesOut') };
    const seconds = (now - last.at) / 1000;
    const rate = {
      in: Math.max(0, Math.round(((bytes.in - last.bytes.in) * 8) / seconds)),
      out: Math.max(0, Math.round(((bytes.out - last.bytes.out) * 8) / seconds)),
    };
    this.#samples.set(stream.id, { at: now, bytes, rate });
    return rate;
  }

  forget(stream: string): void {
    this.#samples.delete(stream);
  }
}

function total({ video, audio }: StreamSnapshot, field: 'bytesIn' | 'bytesOut'): number {
  return (video?.[field] ?? 0) + (audio?.[field] ?? 0);
}

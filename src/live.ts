import type { MediaEngine } from './engine/port.ts';
import type { Stream, StreamTable } from './streams.ts';

/** How long a viewer waits for a stream that is about to start, or for the first parameters of its video. Milliseconds. */
const PATIENCE = 2000;
/** The engine tells of packets, but of no parameters: it is asked again after so long, while somebody waits. Milliseconds. */
const PACE = 20;
/** More viewers than these are not made to wait. */
const MAX_WAITING = 256;

interface Waiting {
  stream: string;
  /** As `performance.now()`. */
  deadline: number;
  goOn(): void;
}

/** Viewers that come while a stream starts: an answer before its first keyframe would have to guess the profile. */
export class Arrivals {
  readonly #engine: MediaEngine;
  readonly #streams: StreamTable;
  /** When the first leg of a stream began to deliver. */
  readonly #flowing = new WeakMap<Stream, number>();
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(engine: MediaEngine, streams: StreamTable) {
    this.#engine = engine;
    this.#streams = streams;
  }

  /** The first leg delivers: the other may come a moment later. */
  flows(id: string): void {
    const stream = this.#streams.get(id);
    if (stream) this.#flowing.set(stream, performance.now());
  }

  /**
   * Resolves when the stream is live with its profile known, or is not about to be; after `PATIENCE` at the latest, and
   * at once when the client goes or the server closes. What has become of the stream is for the caller to see.
   */
  async wait(stream: string, signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted || this.#waiting.size >= MAX_WAITING || !this.#isComing(stream)) return;
    await new Promise<void>((resolve) => {
      const goOn = () => {
        signal.removeEventListener('abort', goOn);
        this.#waiting.delete(waiting);
        if (this.#waiting.size === 0) this.#rest();
        resolve();
      };
      const waiting = { stream, deadline: performance.now() + PATIENCE, goOn };
      signal.addEventListener('abort', goOn);
      this.#waiting.add(waiting);
      this.#timer ??= setInterval(() => this.#look(), PACE).unref();
    });
  }

  /** Lets everybody go on, and makes nobody wait any more. */
  close(): void {
    this.#closed = true;
    for (const { goOn } of this.#waiting) goOn();
  }

  #look(): void {
    const now = performance.now();
    const coming = new Map<string, boolean>();
    for (const { stream, deadline, goOn } of this.#waiting) {
      if (!coming.has(stream)) coming.set(stream, this.#isComing(stream));
      if (now >= deadline || !coming.get(stream)) goOn();
    }
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Nothing has come yet, or video without a keyframe, or sound whose video may be a moment late. */
  #isComing(id: string): boolean {
    const stream = this.#streams.get(id);
    if (stream === undefined) return false;
    if (this.#streams.state(id) === 'starting') return true;
    const { video } = this.#engine.facts(id) ?? {};
    if (video === undefined || video.parameters !== undefined) return false;
    const since = this.#flowing.get(stream) ?? Number.NEGATIVE_INFINITY;
    return video.active || performance.now() - since < PATIENCE;
  }
}

import type { MediaEngine, StreamPorts, StreamSpec } from './engine/port.ts';
import { throwFailures, unlessAborted, within } from './patience.ts';
import type { Puller, Source } from './sources/source.ts';

/** How long an end is waited for. What takes longer goes on; it is only not waited for any more. Milliseconds. */
export const PATIENCE = 10_000;

/** What feeds a stream, its source and the engine's ingress: from the first step of both to the last. */
export class Feed {
  readonly source: Source;
  readonly #engine: MediaEngine;
  readonly #spec: Omit<StreamSpec, 'ingress'>;
  readonly #leaving = new AbortController();
  #opening: Promise<void> = Promise.resolve();
  #ports: StreamPorts = {};
  #known = false;

  constructor(engine: MediaEngine, spec: Omit<StreamSpec, 'ingress'>, source: Source) {
    this.#engine = engine;
    this.#spec = spec;
    this.source = source;
  }

  get ports(): StreamPorts {
    return this.#ports;
  }

  /** Fires when it is to go. */
  get leaving(): AbortSignal {
    return this.#leaving.signal;
  }

  /** Opens the ingress and starts the source. Rejects with what either says, or with why it is to go as soon as it is. */
  async open(puller: Puller): Promise<void> {
    this.#opening = this.#open(puller);
    await unlessAborted(this.#opening, this.leaving);
  }

  /** It is to go; the first reason counts. */
  leave(reason: unknown): void {
    this.#leaving.abort(reason);
  }

  /** Stops the source, after it has started. */
  async stop(): Promise<void> {
    // Whoever opens hears of a failure to start; here only the end of the attempt matters.
    await this.#opening.catch(() => {});
    const late = () => new Error(`${this.source.describe()} did not stop within ${PATIENCE / 1000} s`);
    await within(PATIENCE, this.source.stop(), late);
  }

  /** Resolves when nothing is left of source and ingress; what could not be ended may be tried again. */
  async close(): Promise<void> {
    const stopped = await Promise.allSettled([this.stop()]);
    const removed = await Promise.allSettled(this.#known ? [this.#engine.removeStream(this.#spec.id)] : []);
    throwFailures([...stopped, ...removed]);
  }

  async #open(puller: Puller): Promise<void> {
    const { source, leaving } = this;
    const ingress = typeof source.ingress === 'function' ? await source.ingress(leaving) : source.ingress;
    leaving.throwIfAborted();
    this.#ports = await this.#engine.addStream({ ...this.#spec, ingress });
    this.#known = true;
    leaving.throwIfAborted();
    source.pullWith?.(puller);
    await source.start(this.#spec.id, this.#ports, leaving);
  }
}

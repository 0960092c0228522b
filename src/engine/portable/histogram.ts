import type { HistogramSnapshot } from '../port.ts';

/** Cumulative counts, as Prometheus wants them. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** `bounds` ascend. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    this.#bounds.forEach((bound, index) => {
      if (value <= bound) this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    });
  }

  snapshot(): HistogramSnapshot {
    return { bounds: [...this.#bounds], counts: [...this.#counts], sum: this.#sum, count: this.#count };
  }
}

const SETUP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What the engine measures. The library tells neither when ICE nor when DTLS is up by itself: these two stay empty. */
export class Histograms {
  readonly iceSeconds = new Histogram(SETUP_SECONDS);
  readonly dtlsSeconds = new Histogram(SETUP_SECONDS);
  readonly firstKeyframeSeconds = new Histogram(SETUP_SECONDS);
  readonly fanoutLatencySeconds = new Histogram([
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
  ]);
  readonly sendBatchPackets = new Histogram([1, 4, 16, 64, 256, 1_024, 4_096, 16_384]);
  readonly frameMessages = new Histogram([1, 2, 3, 4, 6, 8, 12, 16, 32]);
  readonly rttSeconds = new Histogram([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6]);
  readonly lossRatio = new Histogram([0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]);
}

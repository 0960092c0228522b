import { getLogger } from '@logtape/logtape';
import type { Metrics } from './metrics.ts';
import type { ViewerLimits } from './sessions.ts';

const log = getLogger(['fetch-whep', 'hub']);

/** Milliseconds between two lines of the log about one cap. */
const PAUSE = 1000;

/** Counts the viewers that caps keep out, and says so at a pace of its own: strangers do not fill the log. */
export class Refusals {
  readonly #limits: ViewerLimits;
  readonly #metrics: Metrics;
  readonly #said = new Map<string, { at: number; unsaid: number }>();

  constructor(limits: ViewerLimits, metrics: Metrics) {
    this.#limits = limits;
    this.#metrics = metrics;
  }

  /** `stream` is empty where the cap is that of all streams. */
  add(option: keyof ViewerLimits, stream: string): void {
    const scope = option === 'maxViewers' ? 'global' : 'stream';
    this.#metrics.count('whep_cap_rejections_total', { stream, scope });
    const now = performance.now();
    const last = this.#said.get(stream);
    if (last !== undefined && now - last.at < PAUSE) {
      last.unsaid++;
      return;
    }
    this.#said.set(stream, { at: now, unsaid: 0 });
    log.warn('viewer refused: the option {option} ({limit}) is reached; {unsaid} more were since the last line', {
      option,
      limit: this.#limits[option],
      stream,
      unsaid: last?.unsaid ?? 0,
    });
  }

  forget(stream: string): void {
    this.#said.delete(stream);
  }
}

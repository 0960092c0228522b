import type { Buffer } from 'node:buffer';
import { parseSps, ppsId, type Sps } from './sps.ts';

/** Remembered of each kind; H.264 allows 32 and 256, encoders use one or two. */
const MAX_SETS = 8;

/** The newest parameter sets by id. */
export class ParameterSets {
  readonly #sps = new Map<number, Buffer>();
  readonly #pps = new Map<number, Buffer>();
  /** The one in force. */
  newest: Sps | undefined;

  /** False for one that makes no sense. */
  keepSps(unit: Buffer): boolean {
    const sps = parseSps(unit);
    if (sps === undefined) return false;
    this.newest = sps;
    keep(this.#sps, sps.id, unit);
    return true;
  }

  keepPps(unit: Buffer): boolean {
    const id = ppsId(unit);
    if (id !== undefined) keep(this.#pps, id, unit);
    return id !== undefined;
  }

  get complete(): boolean {
    return this.#sps.size > 0 && this.#pps.size > 0;
  }

  /** All of them, to go before an IDR picture that lacks them. */
  units(): Buffer[] {
    return [...this.#sps.values(), ...this.#pps.values()];
  }
}

function keep(sets: Map<number, Buffer>, id: number, unit: Buffer): void {
  sets.delete(id);
  sets.set(id, unit);
  const [oldest] = sets.keys();
  if (sets.size > MAX_SETS && oldest !== undefined) sets.delete(oldest);
}

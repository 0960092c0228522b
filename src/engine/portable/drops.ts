/** Why a datagram or a frame went no further; the names are those of the native engine. */
export type DropReason =
  | 'malformed'
  | 'foreign-sender'
  | 'other-stream'
  | 'payload-type'
  | 'late'
  | 'stray'
  | 'lost'
  | 'damaged'
  | 'awaiting-keyframe'
  | 'no-parameter-sets'
  | 'oversized'
  | 'wrong-codec'
  | 'viewer-awaiting-keyframe';

/** Counts by reason. */
export class Drops {
  readonly #counts = new Map<DropReason, number>();

  add(reason: DropReason, count = 1): void {
    this.#counts.set(reason, this.of(reason) + count);
  }

  of(reason: DropReason): number {
    return this.#counts.get(reason) ?? 0;
  }

  /** Those that happened. */
  snapshot(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}

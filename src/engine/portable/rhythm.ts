/** However slow it is, a source that says nothing for longer is silent. Milliseconds. */
const MAX_PATIENCE = 30_000;

/** How often a source sends: a slow camera is not silent between two pictures. Times in milliseconds. */
export class Rhythm {
  #newest: { timestamp: number; at: number } | undefined;
  /** The last two between frames; one long one may be a hitch. */
  #pauses: number[] = [];

  /** A packet of the frame with this time stamp came. */
  observe(timestamp: number, now: number): void {
    if (this.#newest?.timestamp === timestamp) return;
    if (this.#newest !== undefined) this.#pauses = [...this.#pauses.slice(-1), now - this.#newest.at];
    this.#newest = { timestamp, at: now };
  }

  /** How long a pause is no silence, where none is shorter than `least`. */
  patience(least: number): number {
    const pause = this.#pauses.length < 1 ? 0 : Math.min(...this.#pauses);
    return Math.max(least, Math.min(pause * 2.5, MAX_PATIENCE));
  }
}

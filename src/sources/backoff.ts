/** The pause after the first failure. Milliseconds. */
const FIRST = 250;

/** Pauses that grow with every failure, and are random so that those who failed together do not come back together. */
export class Backoff {
  readonly #longest: number;
  #pause = FIRST;

  /** Milliseconds. */
  constructor(longest: number) {
    this.#longest = longest;
  }

  /** Milliseconds until the next attempt. */
  next(): number {
    const pause = jittered(this.#pause);
    this.#pause = Math.min(this.#pause * 2, this.#longest);
    return pause;
  }

  /** It went well: the next pause is the first again. */
  reset(): void {
    this.#pause = FIRST;
  }
}

/** From half of it to the whole. */
export function jittered(pause: number): number {
  return Math.round(pause * (0.5 + Math.random() / 2));
}

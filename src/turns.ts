import { within } from './patience.ts';

/** Work that is done in the order in which it was asked for, one thing after the other for each key. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();
  readonly #limit: number | undefined;

  /** Work that has not settled after `limit` milliseconds holds up nobody any more; without a limit it does. */
  constructor(limit?: number) {
    this.#limit = limit;
  }

  /** Settles as `work` does, which begins when the turn of all before it is over. */
  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const result = before.then(work);
    const turn = before
      .then(() => this.#over(result))
      .finally(() => {
        if (this.#last.get(key) === turn) this.#last.delete(key);
      });
    this.#last.set(key, turn);
    return result;
  }

  async #over(result: Promise<unknown>): Promise<void> {
    const limited = this.#limit === undefined ? result : within(this.#limit, result, () => new Error('late'));
    // Whoever asked for the work hears of its failure.
    await limited.catch(() => {});
  }
}

/** Long enough that jitter does not count. Milliseconds. */
const WINDOW = 5_000;
/** A jump of the source's clock spoils one window, a wrong rate every one. */
const WINDOWS = 2;

/** Whether a source's time stamps run as fast as time does. Times in milliseconds. */
export class Pace {
  #since: { timestamp: number; at: number } | undefined;
  #wrong = 0;

  /** Takes note of a packet's time stamp, of `ticks` a millisecond; true when they run wrong by a quarter or more. */
  observe(timestamp: number, ticks: number, now: number): boolean {
    this.#since ??= { timestamp, at: now };
    const passed = now - this.#since.at;
    if (passed >= WINDOW) {
      const step = (timestamp - this.#since.timestamp) | 0;
      const expected = passed * ticks;
      const wrong = Math.abs(step - expected) * 4 >= expected;
      this.#since = { timestamp, at: now };
      // Who has paused may have stopped the clock.
      this.#wrong = wrong && passed < 2 * WINDOW ? this.#wrong + 1 : 0;
    }
    return this.#wrong >= WINDOWS;
  }
}

import { setImmediate } from 'node:timers';

interface Timer {
  due: number;
  run: () => void;
  every?: number;
}

/** Time that moves only when a test says so: timers and `performance.now` of the whole process. */
export class Clock {
  readonly #restore: (() => void)[] = [];
  readonly #timers = new Map<object, Timer>();
  #now = performance.now();

  constructor() {
    const add = (run: () => void, delay = 0, every?: number) => {
      const handle = { unref: () => handle, ref: () => handle };
      this.#timers.set(handle, { due: this.#now + delay, run, ...(every !== undefined && { every }) });
      return handle;
    };
    const drop = (handle: object) => this.#timers.delete(handle);
    this.#replace(globalThis, 'setTimeout', (run: () => void, delay?: number) => add(run, delay));
    this.#replace(globalThis, 'setInterval', (run: () => void, delay: number) => add(run, delay, delay));
    this.#replace(globalThis, 'clearTimeout', drop);
    this.#replace(globalThis, 'clearInterval', drop);
    this.#replace(performance, 'now', () => this.#now);
  }

  /** Lets time pass, each timer at its moment, and lets everything that waits only for promises come to rest. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await settle();
    for (;;) {
      const [next] = [...this.#timers].filter(([, { due }]) => due <= end).sort(([, a], [, b]) => a.due - b.due);
      if (next === undefined) break;
      const [handle, timer] = next;
      this.#now = Math.max(this.#now, timer.due);
      if (timer.every === undefined) this.#timers.delete(handle);
      else timer.due += timer.every;
      timer.run();
      await settle();
    }
    this.#now = end;
  }

  restore(): void {
    for (const undo of this.#restore) undo();
  }

  #replace(target: object, name: string, value: unknown): void {
    const before = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
    this.#restore.push(() => {
      if (before) Object.defineProperty(target, name, before);
      else Reflect.deleteProperty(target, name);
    });
  }
}

/** The real one: promises, and streams that need a turn of the event loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

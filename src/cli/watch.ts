import { stat } from 'node:fs/promises';

/** Milliseconds. */
const INTERVAL = 1000;

/**
 * Looks at files again and again: the runtimes watch in ways of their own, and none of them sees every file that is renamed
 * over another and every link that is turned to another folder.
 */
export class FileWatch {
  readonly #paths: () => readonly string[];
  readonly #changed: () => Promise<boolean>;
  #seen: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /**
   * `changed` is called once at first, since a file may have changed while the server started, and then for each change; when it
   * gives false, again the next time.
   */
  constructor(paths: () => readonly string[], changed: () => Promise<boolean>) {
    this.#paths = paths;
    this.#changed = changed;
    this.#wait();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    this.#timer = setTimeout(() => void this.#look(), INTERVAL).unref();
  }

  async #look(): Promise<void> {
    // Before they are read: what changes in the meantime is seen the next time.
    const now = (await Promise.all(this.#paths().map(signature))).join();
    if (now !== this.#seen && (await this.#changed())) this.#seen = now;
    if (this.#timer !== undefined) this.#wait();
  }
}

async function signature(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs } = await stat(path);
    return [dev, ino, size, mtimeMs].join(':');
  } catch {
    return 'none';
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { commandOf, type Runtime } from './runtimes.ts';

export interface Ending {
  code: number | null;
  signal: string | null;
}

/** A program of ours in a process of its own. It never outlives the test's process by more than its own clean-up. */
export class Child {
  readonly ended: Promise<Ending>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;

  /** `cwd`: the folder it runs in, the checkout's by default. */
  constructor(
    runtime: Runtime,
    file: string,
    args: readonly string[] = [],
    env: Record<string, string> = {},
    cwd = process.cwd(),
  ) {
    const [program, ...first] = commandOf(runtime);
    this.#child = spawn(program, [...first, file, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd,
      env: { ...process.env, NO_COLOR: '1', ...env },
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code, signal) => resolve({ code, signal }));
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process was not started');
    return this.#child.pid;
  }

  kill(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL' | 'SIGHUP'): void {
    // Not through the handle: Deno then reports the signal as the ending, whatever the process made of it.
    if (this.#child.exitCode === null && this.#child.signalCode === null) process.kill(this.pid, signal);
  }

  /** How it ends by itself, within `limit` milliseconds; past them it is killed and the test fails. */
  async ending(limit = 15_000): Promise<Ending> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.kill('SIGKILL');
        reject(new Error(`still running after ${limit} ms; it said:\n${this.stdout}${this.stderr}`));
      }, limit);
    });
    try {
      return await Promise.race([this.ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

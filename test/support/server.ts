import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Stats } from '../../src/http/schemas.ts';
import type { ServerOptions } from '../../src/index.ts';
import { Child, type Ending } from './child.ts';
import { eventually } from './eventually.ts';
import type { Runtime } from './runtimes.ts';

/** The line that `serve` prints to a program. */
export interface Announcement {
  listening: string;
  engine: string;
  runtime: string;
  streams: Record<string, { video?: number; audio?: number }>;
}

/** A `fetch-whep serve` that listens. */
export class RunningServer {
  readonly announcement: Announcement;
  readonly child: Child;

  constructor(announcement: Announcement, child: Child) {
    this.announcement = announcement;
    this.child = child;
  }

  /** By which this machine reaches it. */
  get url(): string {
    return this.announcement.listening.replace('//0.0.0.0', '//127.0.0.1');
  }

  async stats(basePath = ''): Promise<Stats> {
    const response = await fetch(`${this.url}${basePath}/webrtc/stats`);
    return (await response.json()) as Stats;
  }

  viewers(count: number, limit?: number, basePath?: string): Promise<true> {
    const there = async () => (await this.stats(basePath)).active_peers === count || undefined;
    return eventually(`${count} viewers`, there, limit);
  }

  async live(streams = 1, basePath?: string): Promise<void> {
    await eventually(`${streams} live streams`, async () => (await this.stats(basePath)).active_streams === streams);
  }

  /** Ends it as an operator would and gives how it ended. */
  stop(): Promise<Ending> {
    this.child.kill('SIGTERM');
    return this.child.ending();
  }
}

/** `fetch-whep serve` with arguments, without waiting for anything. */
export function serveCommand(runtime: Runtime, args: readonly string[], env: Record<string, string> = {}): Child {
  return new Child(runtime, 'dist/cli.js', ['serve', ...args], env);
}

/** Starts `fetch-whep serve` on a free port (`--port` among `args` wins) and waits until it listens. */
export async function startServer(
  runtime: Runtime,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<RunningServer> {
  return listening(serveCommand(runtime, ['--port', '0', ...args], env));
}

/** Gives `use` a `fetch-whep serve`, which has to end well afterwards. */
export async function withServer(
  runtime: Runtime,
  args: readonly string[],
  use: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const server = await startServer(runtime, args);
  try {
    await use(server);
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
}

/** Waits until a `fetch-whep serve` listens. */
export async function listening(child: Child): Promise<RunningServer> {
  let ending: Ending | undefined;
  void child.ended.then((how) => {
    ending = how;
  });
  try {
    const line = await eventually('the line that says where it listens', () => {
      if (ending !== undefined) throw new Error(`the server ended (${JSON.stringify(ending)}): ${child.stderr}`);
      return /^(\{.*\})\n/.exec(child.stdout)?.[1];
    });
    return new RunningServer(JSON.parse(line) as Announcement, child);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** The same with options of `createServer`, those that fit into a file, and the command's own. */
export async function startConfigured(
  runtime: Runtime,
  options: ServerOptions & { logLevel?: 'trace' },
  env?: Record<string, string>,
): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-'));
  const file = join(folder, 'config.json');
  writeFileSync(file, JSON.stringify(options));
  try {
    return await startServer(runtime, ['--config', file], env);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

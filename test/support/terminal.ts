import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { eventually } from './eventually.ts';
import { descendants } from './process.ts';
import { commandOf, currentRuntime } from './runtimes.ts';

/**
 * All that `fetch-whep` says at a terminal, up to its end, or until `enough` of it has come: then it is ended. Nothing
 * but `env` speaks about colours.
 */
export async function atTerminal(
  args: readonly string[],
  env: Record<string, string> = {},
  enough?: (said: string) => boolean,
): Promise<string> {
  const command = [...commandOf(currentRuntime()), 'dist/cli.js', ...args].join(' ');
  const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env;
  // script(1) gives its command a terminal.
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...inherited, ...env },
  });
  const ended = once(terminal, 'close');
  let said = '';
  terminal.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    if (enough) await eventually('enough at the terminal', () => enough(said));
  } finally {
    if (enough) for (const { pid } of descendants(terminal.pid ?? 0)) process.kill(pid, 'SIGTERM');
    await ended;
  }
  return said;
}

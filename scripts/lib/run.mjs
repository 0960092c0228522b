// Child processes with a time limit.
import { spawn } from 'node:child_process';
import process from 'node:process';

/** How long a program's own children may hold its output after it has ended. Milliseconds. */
const lingering = 5000;

/**
 * Runs a program in a process group of its own and gives back all it said and how it ended: `ending` is undefined for
 * exit code 0. With `stdio: 'inherit'` the terminal gets the output instead; `heard` is given each piece of it as it
 * comes. Past `limit` milliseconds the whole group is killed.
 */
export function run(program, args, { limit = 3_600_000, heard = () => {}, ...options } = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
  const killGroup = (signal) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // The group is gone already.
    }
  };
  const interrupted = () => {
    killGroup('SIGTERM');
    process.exit(130);
  };
  process.on('SIGINT', interrupted).on('SIGTERM', interrupted);

  let output = '';
  const pipes = [child.stdout, child.stderr].filter((pipe) => pipe !== null);
  for (const pipe of pipes) {
    pipe.setEncoding('utf8').on('data', (text) => {
      output += text;
      heard(text);
    });
  }

  return new Promise((resolve) => {
    const stopAfter = (milliseconds, verdict) =>
      setTimeout(() => {
        killGroup('SIGKILL');
        for (const pipe of pipes) pipe.destroy();
        finish(verdict);
      }, milliseconds);
    let timer = stopAfter(limit, `stopped after ${limit / 1000} s`);
    const finish = (ending) => {
      clearTimeout(timer);
      process.removeListener('SIGINT', interrupted).removeListener('SIGTERM', interrupted);
      resolve({ output, ending });
    };
    child.on('error', (error) => finish(`could not be started: ${error.message}`));
    child.on('exit', () => {
      clearTimeout(timer);
      timer = stopAfter(lingering, 'left a process behind that holds its output');
    });
    child.on('close', (code, signal) => finish(code === 0 ? undefined : (signal ?? `exit code ${code}`)));
  });
}

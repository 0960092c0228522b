import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { inLines } from './lines.ts';

/**
 * The guard: a shell that runs this fixed script with the command as its arguments. Its standard input is a pipe whose
 * other end only our process holds. End of file, because we closed it or because we were killed in whatever way, ends
 * the program: by SIGTERM, and 2 s later by SIGKILL. What the shell itself says of that is not for the log.
 */
const guard = `
trap '' INT
exec 3<&0 4>&2 2>/dev/null
"$@" </dev/null 2>&4 3<&- 4>&- &
child=$!
{ read -r _ <&3; kill -TERM $child; sleep 2; kill -KILL $child; } >/dev/null 4>&- &
watch=$!
exec 3<&- 4>&-
wait $child
status=$?
kill -KILL $watch
exit $status
`;

/** How long the last words of a program that has ended are waited for. Milliseconds. */
const draining = 500;
/** How much of what it says on standard error is kept for the day it fails. Lines. */
const keptLines = 40;

/** What FFmpeg needs of our environment: the rest, secrets among it, is none of its business. */
const passedOn = /^(PATH|HOME|LANG|(https?|all|no)_proxy)$/i;

/** With a proxy of ours no exceptions count that somebody made for another. */
function environment(args: readonly string[]): NodeJS.ProcessEnv {
  const fenced = args.includes('-http_proxy');
  const names = ([name]: [string, unknown]) => passedOn.test(name) && !(fenced && /^no_proxy$/i.test(name));
  return Object.fromEntries(Object.entries(process.env).filter(names));
}

export interface Ending {
  code: number | null;
  /** In words. */
  how: string;
}

/** A program that never outlives our process, however that ends. */
export class GuardedProcess {
  /** The newest lines of its standard error. */
  readonly lastWords: string[] = [];
  /** When it and its guard are gone. Rejects when there is no shell to run them. */
  readonly ended: Promise<Ending>;
  readonly #guard: ChildProcess;

  /** `output` gets its standard output, piece by piece. */
  constructor(program: string, args: readonly string[], output: (text: string) => void) {
    this.#guard = spawn('/bin/sh', ['-c', guard, `${program}-guard`, program, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environment(args),
    });
    // The guard may be gone before we close its pipe.
    this.#guard.stdin?.on('error', () => {});
    this.#guard.stdout?.setEncoding('utf8').on('data', output);
    this.#guard.stderr?.setEncoding('utf8').on(
      'data',
      inLines((line) => {
        this.lastWords.push(line);
        this.lastWords.splice(0, this.lastWords.length - keptLines);
      }),
    );
    this.ended = this.#end(program);
  }

  /** Asks it to end; `ended` says when it has. */
  end(): void {
    this.#guard.stdin?.destroy();
  }

  #end(program: string): Promise<Ending> {
    const child = this.#guard;
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        const ending = { code, how: describe(program, code, signal) };
        const gone = () => {
          clearTimeout(timer);
          child.stdin?.destroy();
          resolve(ending);
        };
        // Something that it started may hold its standard error for ever.
        const timer = setTimeout(() => {
          child.stdout?.destroy();
          child.stderr?.destroy();
          gone();
        }, draining).unref();
        child.on('close', gone);
      });
    });
  }
}

/** POSIX.1-2017, Shell Command Language, 2.8.2: 127 for a command that is not found, more than 128 for a signal. */
function describe(program: string, code: number | null, signal: string | null): string {
  if (code === 127) return `${program} is not on the PATH: install it`;
  if (code === null) return signal ?? 'no exit code';
  return code > 128 && code < 160 ? `signal ${code - 128}` : `exit code ${code}`;
}

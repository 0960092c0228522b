// cargo, with a sign of life while it works.
import { execFileSync } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { root } from './files.mjs';
import { prepareLibraries } from './library.mjs';
import { firstBuild } from './progress.mjs';
import { run } from './run.mjs';

function cache(name) {
  return join(process.env.FETCH_WHEP_CACHE || join(homedir(), '.cache', 'fetch-whep'), name);
}

/**
 * Where cargo builds: outside the checkout, so that only the first clone on a machine pays for libdatachannel, and where
 * somebody who works in several at once says.
 */
export function cargoTarget() {
  return process.env.CARGO_TARGET_DIR || cache('target');
}

/**
 * Arguments and environment by which cargo builds and runs with AddressSanitizer in libdatachannel and all that it links
 * (gcc's; Rust's own needs an unstable compiler). A target of its own, so that build scripts stay as they are.
 */
export function addressSanitizer() {
  const [, host = ''] = /^host: (\S+)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' })) ?? [];
  const library = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
  const name = host.replaceAll('-', '_');
  return {
    args: ['--target', host],
    env: {
      CARGO_TARGET_DIR: cache('asan'),
      [`CFLAGS_${name}`]: '-fsanitize=address',
      [`CXXFLAGS_${name}`]: '-fsanitize=address',
      RUSTFLAGS: '-Clink-arg=-lasan',
      // Not all of the memory of a process that ends is given back; what was given back must not be used.
      [`CARGO_TARGET_${name.toUpperCase()}_RUNNER`]: `env LD_PRELOAD=${library} ASAN_OPTIONS=detect_leaks=0`,
    },
  };
}

/**
 * Runs cargo on the workspace. `shown` lets a terminal see its progress; else, and the first time, when libdatachannel and
 * OpenSSL take some minutes, a line every 15 s says how long it has been working and about how long it will.
 */
export async function cargo(args, { shown = false, env = {} } = {}) {
  await prepareLibraries(cache('sources'));
  const left = args[0] === 'build' ? firstBuild(cargoTarget()) : undefined;
  const inherit = shown && process.stderr.isTTY && left === undefined;
  const start = Date.now();
  let doing = '';
  const timer = setInterval(() => {
    if (!inherit) console.log(progress(args[0], (Date.now() - start) / 1000, left, doing));
  }, 15_000);
  try {
    return await run('cargo', args, {
      cwd: join(root, 'native'),
      env: { ...process.env, CARGO_TARGET_DIR: cargoTarget(), ...env },
      heard: (text) => {
        doing = text.trim().split('\n').at(-1)?.trim() || doing;
      },
      ...(inherit ? { stdio: 'inherit' } : {}),
    });
  } finally {
    clearInterval(timer);
  }
}

function progress(command, elapsed, left, doing) {
  const seconds = left?.(elapsed);
  const rest = seconds === undefined ? '' : `, about ${Math.max(10, Math.round(seconds / 10) * 10)} s left`;
  return `cargo ${command}: working for ${Math.round(elapsed)} s${rest} (${doing})`;
}

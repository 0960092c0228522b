// cargo, with a sign of life while it works.
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { root } from './files.mjs';
import { run } from './run.mjs';

/** Where cargo builds: outside the checkout, so that only the first clone on a machine pays for libdatachannel. */
export function cargoTarget() {
  return join(process.env.FETCH_WHEP_CACHE || join(homedir(), '.cache', 'fetch-whep'), 'target');
}

/**
 * Runs cargo on the workspace. `shown` lets a terminal see its progress; without one, a line every 15 s says how long
 * it has been working (libdatachannel and OpenSSL take some minutes the first time).
 */
export async function cargo(args, { shown = false } = {}) {
  const inherit = shown && process.stderr.isTTY;
  const start = Date.now();
  let doing = '';
  const timer = setInterval(() => {
    if (!inherit) console.log(`cargo ${args[0]}: working for ${Math.round((Date.now() - start) / 1000)} s (${doing})`);
  }, 15_000);
  try {
    return await run('cargo', args, {
      cwd: join(root, 'native'),
      env: { ...process.env, CARGO_TARGET_DIR: cargoTarget() },
      heard: (text) => {
        doing = text.trim().split('\n').at(-1)?.trim() || doing;
      },
      ...(inherit ? { stdio: 'inherit' } : {}),
    });
  } finally {
    clearInterval(timer);
  }
}

import { resolve } from 'node:path';
import process from 'node:process';

export type Runtime = 'node' | 'bun' | 'deno';

export const RUNTIMES: readonly Runtime[] = ['node', 'bun', 'deno'];

/** The engines that move media. */
export const ENGINES = ['native', 'portable'] as const;

/** Program and first arguments that run a JavaScript file, from any folder. Tests start in the checkout's. */
export function commandOf(runtime: Runtime): [string, ...string[]] {
  switch (runtime) {
    case 'node':
      // By its path, since a test may have emptied PATH.
      return [process.execPath.endsWith('node') ? process.execPath : 'node', '--enable-source-maps'];
    case 'bun':
      return [resolve('node_modules/.bin/bun')];
    case 'deno':
      return [resolve('node_modules/.bin/deno'), 'run', '-A', '--node-modules-dir=manual'];
  }
}

/** The one that runs this. */
export function currentRuntime(): Runtime {
  if ('Bun' in globalThis) return 'bun';
  return 'Deno' in globalThis ? 'deno' : 'node';
}

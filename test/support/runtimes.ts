import process from 'node:process';

export type Runtime = 'node' | 'bun' | 'deno';

export const RUNTIMES: readonly Runtime[] = ['node', 'bun', 'deno'];

/** Program and first arguments that run a JavaScript file, from the checkout's folder. */
export function commandOf(runtime: Runtime): [string, ...string[]] {
  switch (runtime) {
    case 'node':
      // By its path, since a test may have emptied PATH.
      return [process.execPath.endsWith('node') ? process.execPath : 'node', '--enable-source-maps'];
    case 'bun':
      return ['node_modules/.bin/bun'];
    case 'deno':
      return ['node_modules/.bin/deno', 'run', '-A', '--node-modules-dir=manual'];
  }
}

/** The one that runs this. */
export function currentRuntime(): Runtime {
  if ('Bun' in globalThis) return 'bun';
  return 'Deno' in globalThis ? 'deno' : 'node';
}

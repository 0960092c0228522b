/** What runs us. */
export type Runtime = 'node' | 'bun' | 'deno';

export function currentRuntime(): Runtime {
  if ('Bun' in globalThis) return 'bun';
  return 'Deno' in globalThis ? 'deno' : 'node';
}

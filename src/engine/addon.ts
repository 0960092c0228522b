import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, env, platform } from 'node:process';
import { fileURLToPath } from 'node:url';
import { Failure } from '../errors.ts';

/**
 * The exports of the native module: the engine, or what else is in it. It lies beside this code in a checkout and in a
 * package of its own, for each platform one, where fetch-whep was installed; `FETCH_WHEP_ADDON` names another file.
 * Throws `engine-unavailable`, with what to do.
 */
export function loadAddon<Exports>(): Exports {
  const require = createRequire(import.meta.url);
  let refusal: unknown;
  for (const path of places(require)) {
    try {
      return require(path) as Exports;
    } catch (cause) {
      refusal ??= cause;
    }
  }
  throw unavailable(refusal);
}

function places(require: NodeJS.Require): string[] {
  if (env.FETCH_WHEP_ADDON) return [env.FETCH_WHEP_ADDON];
  const beside = fileURLToPath(new URL('./fetch-whep.node', import.meta.url));
  return [...(existsSync(beside) ? [beside] : []), ...platformPackages().flatMap((name) => installed(require, name))];
}

/** Where both of Linux's C libraries have their package installed, the system's loader refuses the wrong one. */
function platformPackages(): string[] {
  const libraries: Record<string, string[]> = { linux: ['-gnu', '-musl'], win32: ['-msvc'] };
  return (libraries[platform] ?? ['']).map((library) => `@fetch-whep/${platform}-${arch}${library}`);
}

function installed(require: NodeJS.Require, name: string): string[] {
  try {
    return [require.resolve(name)];
  } catch {
    return [];
  }
}

function unavailable(refusal: unknown): Failure {
  const [reason] = String(refusal instanceof Error ? refusal.message : refusal).split('\n');
  const fault = refusal === undefined ? 'is missing' : `cannot be loaded (${reason})`;
  const cure = `install fetch-whep with its optional dependencies, ${platformPackages().join(' or ')} among them`;
  return new Failure(
    'engine-unavailable',
    `the native engine ${fault}: ${cure}; in a checkout run scripts/start, which builds it`,
    { cause: refusal },
  );
}

// The files of the checkout, and a fingerprint of some of them.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

const outside = new Set(['node_modules', 'dist', 'build', 'target', '.git', '.cargo']);

/** Every file below `folder`, as paths relative to the checkout with forward slashes, sorted. */
export function filesBelow(folder) {
  const absolute = join(root, folder);
  if (!existsSync(absolute)) return [];
  const found = [];
  for (const entry of readdirSync(absolute, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!outside.has(entry.name)) found.push(...filesBelow(path));
    } else if (entry.isFile()) {
      found.push(relative('.', path).split(sep).join('/'));
    }
  }
  return found.sort();
}

/** Runs `make` unless the inputs are those of its last success and every output exists. Says which. */
export async function whenChanged({ name, inputs, outputs }, make) {
  const stamp = join(root, 'build/stamps', name);
  const now = fingerprint(inputs);
  const fresh = outputs.every((path) => existsSync(join(root, path)));
  if (fresh && existsSync(stamp) && readFileSync(stamp, 'utf8') === now) {
    console.log(`${name}: skipped, nothing it is made from has changed`);
    return;
  }
  const start = Date.now();
  await make();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, now);
  console.log(`${name}: built in ${((Date.now() - start) / 1000).toFixed(1)} s`);
}

function fingerprint(paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    if (!existsSync(join(root, path)) || !statSync(join(root, path)).isFile()) continue;
    hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  }
  return hash.digest('hex');
}

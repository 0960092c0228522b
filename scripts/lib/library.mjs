// The crates of libdatachannel and OpenSSL with our patches: made from what cargo fetches, outside the checkout.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { filesBelow, root } from './files.mjs';
import { run } from './run.mjs';

const folder = 'native/patches';

/** Crates with their patches in the order in which they apply. `named`: our crates depend on a version of its own. */
export const libraries = [
  { crate: 'datachannel-sys', patches: patchesIn(folder), named: true },
  { crate: 'openssl-src', patches: patchesIn(`${folder}/openssl`), named: false },
];

/** As paths relative to the checkout. */
function patchesIn(folder) {
  return filesBelow(folder).filter((path) => path.endsWith('.patch') && dirname(path) === folder);
}

/**
 * Makes the patched sources in `cache`, unless they are there, and tells cargo in native/ where they lie. A change of any
 * patch is another folder, which cargo builds anew.
 */
export function prepareLibraries(cache) {
  preparing ??= prepare(cache);
  return preparing;
}

/** Once in a process: stages run side by side. */
let preparing;

async function prepare(cache) {
  let configuration = '# Written by scripts/lib/library.mjs.\n[patch.crates-io]\n';
  for (const library of libraries) {
    const hash = createHash('sha256');
    for (const path of [`${folder}/Cargo.lock`, ...library.patches]) hash.update(readFileSync(join(root, path)));
    const source = join(cache, `${library.crate}-${hash.digest('hex').slice(0, 16)}`);
    if (!existsSync(source)) await makeSource(library, source);
    configuration += `${library.crate} = { path = ${JSON.stringify(source)} }\n`;
  }
  const path = join(root, 'native/.cargo/config.toml');
  if (existsSync(path) && readFileSync(path, 'utf8') === configuration) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, configuration);
}

/** Renamed into place when it is whole: several runs may make it at once. */
async function makeSource(library, source) {
  const fresh = `${source}.${process.pid}`;
  await patchedCopy(library, fresh);
  try {
    renameSync(fresh, source);
  } catch (error) {
    rmSync(fresh, { recursive: true });
    if (!existsSync(source)) throw error;
  }
}

/** Copies a crate as it was published to `folder`, which must not exist, and applies its patches. */
export async function patchedCopy({ crate, patches, named }, folder) {
  cpSync(await pristineSource(crate), folder, { recursive: true });
  for (const path of patches) await applyPatch(path, folder);
  if (named) nameVersion(join(folder, 'Cargo.toml'));
}

/** Where cargo keeps it. Started at the root, where native/.cargo says nothing. */
async function pristineSource(crate) {
  const args = ['metadata', '--locked', '--format-version', '1', '--manifest-path', `${folder}/Cargo.toml`];
  const { output, ending } = await run('cargo', args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  if (ending !== undefined) throw new Error(`cargo could not fetch ${crate}: ${ending}`);
  const { packages } = JSON.parse(output);
  return dirname(packages.find(({ name }) => name === crate).manifest_path);
}

/** Applies a patch exactly where it says, and gives back what git says about it. */
async function applyPatch(path, folder) {
  const { output, ending } = await run('git', ['apply', '--verbose', '--whitespace=nowarn', join(root, path)], {
    cwd: folder,
    // The folder may lie in some repository: git would take its files for that repository's.
    env: { ...process.env, GIT_CEILING_DIRECTORIES: dirname(folder) },
  });
  if (ending !== undefined) throw new Error(`${path} does not apply: ${ending}\n${output.trimEnd()}`);
  if (/offset/.test(output))
    throw new Error(`${path} applies elsewhere than it says: make it anew\n${output.trimEnd()}`);
}

/** A version that the registry does not have: cargo cannot take the crate without the patches instead. */
function nameVersion(manifest) {
  const text = readFileSync(manifest, 'utf8');
  writeFileSync(manifest, text.replace(/^(version = "[\d.]+)/m, '$1-patched'));
}

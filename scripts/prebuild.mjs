// Makes what is published, in build/npm: `node scripts/prebuild.mjs [addon] [package]`, by default both.
//   addon    @fetch-whep/PLATFORM of the machine this runs on: the native module, without debug information
//   package  fetch-whep: what `npm pack` takes, with every platform's package as an optional dependency
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { buildPackage, buildPublishedAddon } from './build.mjs';
import { root } from './lib/files.mjs';
import { packageOf, platforms, thisPlatform } from './lib/platforms.mjs';
import { run } from './lib/run.mjs';

const target = join(root, 'build/npm');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { name, version, license, engines } = manifest;

async function addon() {
  const built = await buildPublishedAddon();
  const platform = thisPlatform();
  if (!(platform in platforms)) throw new Error(`${platform} is not in scripts/lib/platforms.mjs: add it there`);
  const folder = emptied(platform);
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  copyFileSync(join(root, 'native/NOTICE'), join(folder, 'NOTICE'));
  copyFileSync(join(root, built), join(folder, 'fetch-whep.node'));
  await strip(join(folder, 'fetch-whep.node'));
  writeManifest(folder, {
    name: packageOf(platform),
    version,
    description: `The native engine of ${name} for ${platform}`,
    license,
    engines,
    main: 'fetch-whep.node',
    files: ['fetch-whep.node', 'NOTICE'],
    ...platforms[platform],
  });
  await pack(folder);
}

async function main() {
  await buildPackage();
  const folder = emptied(name);
  const [{ files }] = JSON.parse(await npm(['pack', '--dry-run', '--json', '--ignore-scripts'], root));
  for (const { path } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(join(root, path), join(folder, path));
  }
  // The checkout does not name them: they exist once this version is published, and npm would look for them before.
  const optional = Object.fromEntries(Object.keys(platforms).map((platform) => [packageOf(platform), version]));
  const { devDependencies, allowScripts, scripts, optionalDependencies, ...published } = manifest;
  writeManifest(folder, { ...published, optionalDependencies: { ...optionalDependencies, ...optional } });
  await pack(folder);
}

function emptied(folder) {
  const path = join(target, folder);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}

function writeManifest(folder, content) {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(content, null, 2)}\n`);
}

/** On Windows debug information is a file of its own already. */
async function strip(file) {
  const flags = { darwin: ['-x'], linux: ['--strip-unneeded'] }[process.platform];
  if (flags !== undefined) await done('strip', [...flags, file], root);
}

async function pack(folder) {
  const [{ filename, size, unpackedSize }] = JSON.parse(
    await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', target], folder),
  );
  console.log(`build/npm/${filename}: ${kilobytes(size)} packed, ${kilobytes(unpackedSize)} unpacked`);
}

function kilobytes(bytes) {
  return `${Math.ceil(bytes / 1000)} kB`;
}

/** Windows runs npm only through a shell; none of our arguments needs quoting. */
function npm(args, cwd) {
  return done('npm', [...args, '--loglevel=error'], cwd, { shell: process.platform === 'win32' });
}

async function done(program, args, cwd, options = {}) {
  const { output, ending } = await run(program, args, { cwd, ...options });
  if (ending !== undefined) throw new Error(`${program} ${args[0]}: ${ending}\n${output.trimEnd()}`);
  return output;
}

const parts = { addon, package: main };
const asked = process.argv.slice(2);
const unknown = asked.find((part) => !(part in parts));
if (unknown !== undefined) {
  console.error(`prebuild: unknown part ${unknown}; there are ${Object.keys(parts).join(', ')}`);
  process.exit(2);
}
try {
  for (const part of asked.length > 0 ? asked : Object.keys(parts)) await parts[part]();
} catch (error) {
  console.error(`prebuild: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

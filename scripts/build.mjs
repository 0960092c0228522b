// Builds what is asked for and out of date: `node scripts/build.mjs [package] [tests] [addon]`, by default package and addon.
//   package  dist/: index.js, serve.js and cli.js, their types, the clip and the player page
//   tests    build/test/: one bundle per test file, for every runtime
//   addon    dist/fetch-whep.node, by cargo, with what tests and benchmarks need of it
import { copyFileSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { cargo, cargoTarget } from './lib/cargo.mjs';
import { filesBelow, root, whenChanged } from './lib/files.mjs';
import { run } from './lib/run.mjs';

const configuration = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/build.mjs',
];

/** npm dependencies stay imports; our own code becomes a few readable files. */
const bundling = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.11',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
};

/** The addon can be built before npm has brought esbuild. */
async function bundle(options) {
  const esbuild = await import('esbuild');
  return esbuild.build(options);
}

const entries = { index: 'src/index.ts', serve: 'src/serve.ts', cli: 'src/cli/main.ts' };

export function buildPackage() {
  const outputs = Object.keys(entries).flatMap((name) => [`dist/${name}.js`, `dist/${name}.js.map`]);
  return whenChanged({ name: 'package', inputs: [...configuration, ...filesBelow('src')], outputs }, async () => {
    for (const path of filesBelow('dist')) if (!path.endsWith('.node')) rmSync(join(root, path));
    // What entries share is a file of its own: there is one copy of each class, and an engine is loaded when it is asked for.
    await bundle({
      ...bundling,
      entryPoints: entries,
      outdir: 'dist',
      splitting: true,
      chunkNames: 'shared-[hash]',
    });
    await buildPlayer();
    cpSync(join(root, 'src/sources/clip'), join(root, 'dist/clip'), { recursive: true });
    succeeded('tsc', await run('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], { cwd: root }));
    dropPrivateTypes();
  });
}

/** tsc writes the types of every file; those that no entry leads to are nobody's business. */
function dropPrivateTypes() {
  const reached = new Set();
  const reach = (types) => {
    const path = join(types);
    if (reached.has(path)) return;
    reached.add(path);
    const text = readFileSync(join(root, path), 'utf8');
    for (const [, name] of text.matchAll(/from '(\.[^']+)\.ts'/g)) reach(`${dirname(path)}/${name}.d.ts`);
  };
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const { types } of Object.values(exports)) if (types !== undefined) reach(types);
  for (const path of filesBelow('dist')) if (path.endsWith('.d.ts') && !reached.has(path)) rmSync(join(root, path));
}

/** The client as one module for bundlers and pages, and the page that the server shows. */
async function buildPlayer() {
  const browser = { platform: 'browser', target: ['chrome100', 'firefox100', 'safari15.4'] };
  await bundle({
    ...bundling,
    ...browser,
    entryPoints: { index: 'src/player/index.ts' },
    outdir: 'dist/player',
  });
  await bundle({
    ...bundling,
    ...browser,
    entryPoints: ['page.ts', 'page.css', 'player.css', 'index.css'].map((name) => `src/player/page/${name}`),
    outdir: 'dist/player',
    format: 'iife',
    minify: true,
    charset: 'utf8',
    sourcemap: false,
  });
  copyFileSync(join(root, 'src/player/page/player.html'), join(root, 'dist/player/player.html'));
}

/** Every TypeScript file in a folder of test/ is a test, but for helpers in a `support` folder and the benchmarks. */
export function testFiles() {
  return filesBelow('test').filter(
    (path) => /^test\/(?!bench\/).+\/[^/]+\.ts$/.test(path) && !/\/support\//.test(path),
  );
}

/** Bundling takes less than a second: never skipped. */
export function buildTests(files = testFiles()) {
  return bundle({
    ...bundling,
    entryPoints: files,
    outbase: 'test',
    outdir: 'build/test',
    // Code under test looks for its clip, page and addon beside itself: that is dist/.
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(join(root, 'dist/index.js')).href) },
  });
}

/** The bundle made from a test file. */
export function bundleOf(testFile) {
  return `build/${testFile.replace(/\.ts$/, '.js')}`;
}

/** For this checkout: with attackers and ports that stand still. */
export function buildAddon() {
  return makeAddon('addon', 'dist/fetch-whep.node', ['--features', 'development']);
}

/** For others. Gives its path, relative to the checkout. */
export async function buildPublishedAddon() {
  const path = 'build/addon/fetch-whep.node';
  await makeAddon('published-addon', path, []);
  return path;
}

function makeAddon(name, path, features) {
  return whenChanged({ name, inputs: filesBelow('native'), outputs: [path] }, async () => {
    const args = ['build', '--release', '--locked', '-p', 'fetch-whep-addon', ...features];
    succeeded('cargo build', await cargo(args, { shown: true }));
    mkdirSync(join(root, dirname(path)), { recursive: true });
    const library = { darwin: 'libfetch_whep.dylib', win32: 'fetch_whep.dll' }[process.platform] ?? 'libfetch_whep.so';
    // Renamed into place: a server that runs keeps the file it has mapped.
    const fresh = join(root, dirname(path), `${process.pid}.${basename(path)}`);
    copyFileSync(join(cargoTarget(), 'release', library), fresh);
    renameSync(fresh, join(root, path));
  });
}

function succeeded(what, { output, ending }) {
  if (ending === undefined) return;
  if (output !== '') console.error(output.trimEnd());
  throw new Error(`${what}: ${ending}`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const parts = { package: buildPackage, tests: buildTests, addon: buildAddon };
  const asked = process.argv.slice(2);
  const unknown = asked.find((name) => !(name in parts));
  if (unknown !== undefined) {
    console.error(`build: unknown part ${unknown}; there are ${Object.keys(parts).join(', ')}`);
    process.exit(2);
  }
  try {
    for (const name of asked.length > 0 ? asked : ['package', 'addon']) await parts[name]();
  } catch (error) {
    console.error(`build: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}

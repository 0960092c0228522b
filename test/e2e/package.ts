import { execFile } from 'node:child_process';
import { cpSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../support/child.ts';
import { Chromium } from '../support/chromium.ts';
import { type Built, type Installation, install, type Package, prebuild } from '../support/installed.ts';
import { RUNTIMES, type Runtime } from '../support/runtimes.ts';
import { listening, type RunningServer } from '../support/server.ts';

const test = suite('the package');
const run = promisify(execFile);
let built: Built;
let installed: Installation;
let browser: Chromium;

test.before(async () => {
  built = await prebuild();
  installed = await install(built, 'npm');
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
  installed.remove();
});

async function filesOf({ tarball }: Package): Promise<string[]> {
  const { stdout } = await run('tar', ['-tzf', tarball]);
  return stdout.trim().split('\n').sort();
}

async function unpackedSize({ tarball }: Package): Promise<number> {
  const { stdout } = await run('tar', ['-tvzf', tarball]);
  return stdout
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line.split(/\s+/)[2]), 0);
}

function command(runtime: Runtime, args: readonly string[]): Child {
  return new Child(runtime, 'node_modules/fetch-whep/dist/cli.js', args, {}, installed.folder);
}

function serve(runtime: Runtime): Promise<RunningServer> {
  return listening(command(runtime, ['serve', '--port', '0']));
}

/** Watches the server's demo in Chromium; gives what the server logged. */
async function plays(runtime: Runtime, engine: string): Promise<string> {
  const server = await serve(runtime);
  try {
    assert.is(server.announcement.runtime, runtime);
    assert.is(server.announcement.engine, engine);
    const tab = await browser.watch(`${server.url}/play/demo`);
    await tab.frames(30);
    assert.equal(tab.console, []);
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
    return server.child.stderr;
  } finally {
    server.child.kill('SIGKILL');
  }
}

/** Runs tsc on a program in the folder of the installation; rejects with what it found. */
async function compile(program: string, module: readonly string[]): Promise<void> {
  writeFileSync(join(installed.folder, 'user.ts'), program);
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--skipLibCheck', 'false'];
  const target = ['--ignoreConfig', '--noEmit', '--target', 'es2023', '--lib', 'es2023,dom', '--types', ''];
  const args = [...target, ...strict, ...module, 'user.ts'];
  await run(resolve('node_modules/.bin/tsc'), args, { cwd: installed.folder }).catch((error: { stdout?: string }) => {
    throw new Error(`tsc ${module.join(' ')}: ${error.stdout}`);
  });
}

test('the addon is packed alone, without debug information, for machines of its kind', async () => {
  const { platform } = built;
  const files = ['LICENSE', 'NOTICE', 'fetch-whep.node', 'package.json'];
  assert.equal(
    await filesOf(platform),
    files.map((file) => `package/${file}`),
  );
  const { name, version, os, cpu, libc, license, main } = platform.manifest;
  const library = { glibc: '-gnu', musl: '-musl' }[String(libc)];
  assert.is(name, `@fetch-whep/${os}-${cpu}${library}`);
  assert.equal([os, cpu], [[process.platform], [process.arch]]);
  assert.equal([version, license, main], [built.main.manifest.version, 'MIT', 'fetch-whep.node']);
  const { stdout } = await run('readelf', ['-S', '-W', join(platform.folder, 'fetch-whep.node')]);
  assert.match(stdout, / \.text /);
  assert.not.match(stdout, / \.(debug_\w+|symtab) /);
});

/** In a process of its own: one takes one addon. */
async function exported(addon: string): Promise<string[]> {
  const { stdout } = await run('node', ['-p', 'JSON.stringify(Object.keys(require(process.argv[1])))', resolve(addon)]);
  return JSON.parse(stdout) as string[];
}

test('the addon has no attackers and nothing that holds ports, which are for tests', async () => {
  const published = await exported(join(built.platform.folder, 'fetch-whep.node'));
  assert.ok(published.includes('startEngine'));
  assert.ok(published.includes('NativeLoad'), 'the command `bench` needs it');
  const left = (await exported('dist/fetch-whep.node')).filter((name) => !published.includes(name));
  assert.equal(left.sort(), ['PortHold', 'attackServer', 'holdPorts']);
});

test('the package without addon is small and holds only what it needs', async () => {
  const files = await filesOf(built.main);
  assert.ok(statSync(built.main.tarball).size < 300_000, 'packed');
  assert.ok((await unpackedSize(built.main)) < 800_000, 'unpacked');
  for (const file of ['README.md', 'LICENSE', 'package.json', 'dist/index.js', 'dist/index.d.ts', 'dist/cli.js']) {
    assert.ok(files.includes(`package/${file}`), file);
  }
  assert.equal(
    files.filter((file) => !/^package\/(dist\/|README\.md$|LICENSE$|package\.json$)|\/$/.test(file)),
    [],
  );
  assert.equal(
    files.filter((file) => /\.(node|map|ts)$/.test(file.replace('.d.ts', ''))),
    [],
  );
  assert.equal(await plainPack(), files, 'what npm pack takes in the checkout');
});

async function plainPack(): Promise<string[]> {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error']);
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  return files.map(({ path }) => `package/${path}`).sort();
}

test('publint and Are The Types Wrong find nothing in its exports', async () => {
  await run('node_modules/.bin/publint', ['run', built.main.tarball, '--strict', '--pack=false']);
  // There is no CommonJS: the profile leaves out how it would be resolved.
  await run('node_modules/.bin/attw', [built.main.tarball, '--profile', 'esm-only']);
});

for (const module of [
  ['--module', 'nodenext'],
  ['--module', 'preserve', '--moduleResolution', 'bundler'],
]) {
  test(`its types hold under ${module.join(' ')}, also without those of Node`, async () => {
    const program = (leg: string) => `
      import { createServer, Failure, type ServerOptions } from 'fetch-whep';
      import { play, type PlayerStats } from 'fetch-whep/player';
      import { serve } from 'fetch-whep/serve';
      const options: ServerOptions = { streams: { cam1: 'rtp:5004,5006' } };
      const server = await createServer(options);
      const answer: Response = await server.fetch(new Request('http://localhost/whep/cam1'));
      const { url } = await serve(server, { port: 0 });
      const states: ('starting' | 'live' | 'stalled' | 'ended')[] = [...server.streams].map(({ state }) => state);
      const rate: number = server.snapshot().streams.cam1?.video?.frames_per_second ?? 0;
      server.streams.push('cam1', '${leg}', new Uint8Array(), 0);
      const player = play(document.createElement('video'), url, { onState: ({ phase }) => phase === 'playing' });
      const stats: PlayerStats | undefined = await player.stats();
      export { answer, Failure, rate, states, stats };`;
    await compile(program('video'), module);
    await compile(program('subtitles'), module).then(
      () => assert.unreachable('a leg that does not exist'),
      (error: Error) => assert.match(error.message, /user\.ts\(11,.*'"subtitles"' is not assignable/),
    );
  });
}

test('npm installs the addon of this platform and no other', () => {
  assert.equal(installed.chosen, [built.platform.manifest.name]);
});

test('Bun installs the same, and serves from there', async () => {
  const { folder, chosen, remove } = await install(built, 'bun');
  try {
    assert.equal(chosen, [built.platform.manifest.name]);
    const cli = 'node_modules/fetch-whep/dist/cli.js';
    const server = await listening(new Child('bun', cli, ['serve', '--port', '0'], {}, folder));
    assert.is(server.announcement.engine, 'native');
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    remove();
  }
});

test('from an empty folder it plays in Chromium, on every runtime', async () => {
  for (const runtime of RUNTIMES) await plays(runtime, 'native');
});

test('npm puts the command where npx finds it', async () => {
  const { stdout } = await run(join(installed.folder, 'node_modules/.bin/fetch-whep'), ['--version']);
  assert.match(stdout, String(built.main.manifest.version));
});

test('where the packages of both C libraries are installed, the one that loads is taken', async () => {
  const { name } = built.platform.manifest;
  const packages = join(installed.folder, 'node_modules');
  const [gnu, musl] = ['gnu', 'musl'].map((library) => join(packages, name.replace(/(gnu|musl)$/, library)));
  if (gnu === undefined || musl === undefined) throw new Error('two names were made');
  for (const folder of [gnu, musl]) {
    if (!existsSync(folder)) cpSync(join(packages, name), folder, { recursive: true });
  }
  // The first that is tried.
  writeFileSync(join(gnu, 'fetch-whep.node'), 'made for another C library');
  const server = await serve('node');
  assert.is(server.announcement.engine, 'native');
  assert.equal(await server.stop(), { code: 0, signal: null });
});

test('without the addon the portable engine plays, on every runtime, and says so', async () => {
  rmSync(join(installed.folder, 'node_modules/@fetch-whep'), { recursive: true });
  for (const runtime of RUNTIMES) {
    const said = await plays(runtime, 'portable');
    assert.match(said, 'using the portable engine, for few viewers: the native engine is missing: install fetch-whep');
    assert.match(said, built.platform.manifest.name);
  }
});

test('without any engine a line says what to install', async () => {
  rmSync(join(installed.folder, 'node_modules/node-datachannel'), { recursive: true });
  for (const runtime of RUNTIMES) {
    const child = command(runtime, ['serve']);
    assert.is((await child.ending()).code, 1);
    const said = child.stderr.trim().split('\n');
    // Who may do what is said first.
    const [line = '', ...more] = said.filter((each) => !each.includes('fetch-whep·'));
    assert.match(
      line,
      /^fetch-whep: the native engine is missing: .+; the portable engine cannot be loaded .+: install/,
    );
    assert.equal(more, []);
  }
});

test.run();

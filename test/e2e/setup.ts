import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withPrograms } from '../support/fake-programs.ts';

const test = suite('set-up of a machine that lacks something');

const real = (path: string) => `exec ${path} "$@"`;
const basics = {
  ...Object.fromEntries(['bash', 'cat', 'grep', 'mktemp', 'rm', 'uname'].map((name) => [name, real(`/bin/${name}`)])),
  ...Object.fromEntries(['basename', 'dirname', 'tail'].map((name) => [name, real(`/usr/bin/${name}`)])),
};
const tools = [
  'git',
  'cmake',
  'make',
  'g++',
  'perl',
  'pkg-config',
  'ffmpeg',
  'ffprobe',
  'chromium',
  'turnserver',
  'nft',
  'ip',
  'nginx',
  'haproxy',
];
const all = Object.fromEntries(tools.map((name) => [name, 'exit 0']));
const node = { node: real(process.execPath), npm: 'exit 0' };
const root = { id: 'echo 0' };
const user = { id: 'echo 1000' };

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a script of ours where only `programs` can be found. */
async function runs(
  script: string,
  programs: Record<string, string>,
  args: string[] = [],
): Promise<Result & { apt: string }> {
  let result: (Result & { apt: string }) | undefined;
  await withPrograms(programs, async (folder) => {
    const env = { PATH: folder, HOME: folder, TMPDIR: folder };
    const ran = await new Promise<Result>((resolve) => {
      execFile(script, args, { env, timeout: 60_000 }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
      });
    });
    const log = join(folder, 'apt');
    result = { ...ran, apt: existsSync(log) ? readFileSync(log, 'utf8') : '' };
  });
  if (result === undefined) throw new Error('the script did not run');
  return result;
}

async function saysOneLine(programs: Record<string, string>, line: RegExp, args: string[] = []): Promise<void> {
  const { code, stdout, stderr } = await runs('scripts/start', programs, args);
  assert.is(code, 1);
  assert.is(stdout, '');
  const said = stderr.trimEnd().split('\n');
  assert.match(said.at(-1) ?? '', line);
  assert.is(said.filter((each) => each.startsWith('start: ')).length, 1, stderr);
}

test('without Node, or with an old one, a line says which to install', async () => {
  await saysOneLine({ ...basics, ...user }, /^start: node is missing: install Node 20\.11 or newer/);
  await saysOneLine({ ...basics, ...user, node: node.node }, /^start: npm is missing/);
  const old = { node: `case "$1" in --version) echo v18.0.0 ;; *) exit 1 ;; esac`, npm: 'exit 0' };
  await saysOneLine({ ...basics, ...user, ...old }, /^start: node v18\.0\.0 is too old: install Node 20\.11/);
});

test('whoever wants the native engine is told which packages to install, and how to get Rust', async () => {
  const { cmake, perl, ...rest } = all;
  assert.ok(cmake && perl);
  const native = ['--engine', 'native'];
  const packages = /^start: packages are missing: install cmake perl /;
  await saysOneLine({ ...basics, ...user, ...node, ...rest }, packages, native);
  const rust = /^start: cargo is missing: install Rust \(https:\/\/rustup\.rs\)/;
  await saysOneLine({ ...basics, ...user, ...node, ...all }, rust, native);
  await saysOneLine({ ...basics, ...user, ...node, ...all }, rust, ['--engine=native']);
});

test('root on Debian gets just the missing packages installed', async () => {
  const apt = `echo "$DEBIAN_FRONTEND $*" >>"$(dirname "$0")/apt"`;
  const { cmake, ffprobe, ...rest } = all;
  assert.ok(cmake && ffprobe);
  const programs = { ...basics, ...root, ...node, ...rest, 'apt-get': apt, cargo: 'exit 1' };
  const result = await runs('scripts/start', programs, ['--help']);
  assert.is(result.apt, 'noninteractive update\nnoninteractive install -y --no-install-recommends cmake ffmpeg\n');
  assert.match(result.stderr, /^packages: installing cmake ffmpeg$/m);
});

test('a package that cannot be installed ends the set-up with what apt-get said', async () => {
  const apt = 'echo "E: Unable to locate package cmake" >&2; exit 100';
  const { cmake, ...rest } = all;
  assert.ok(cmake);
  const programs = { ...basics, ...root, ...node, ...rest, 'apt-get': apt, cargo: 'exit 1' };
  const result = await runs('scripts/start', programs);
  assert.is(result.code, 1);
  assert.match(result.stderr, /Unable to locate package cmake\nstart: apt-get could not install cmake: see above\n$/);
});

/** Runs to the help text, with one line that says which engine there will not be. */
async function goesOn(programs: Record<string, string>, line: RegExp): Promise<void> {
  const { code, stdout, stderr, apt } = await runs('scripts/start', programs, ['--help']);
  assert.is(code, 0, stderr);
  assert.match(stdout, /^Usage: fetch-whep serve/);
  assert.is(apt, '');
  const said = stderr.split('\n').filter((each) => each.startsWith('native engine: '));
  assert.is(said.length, 1, stderr);
  assert.match(said[0] ?? '', line);
  assert.not.match(stderr, /^(packages|addon): /m);
}

test('Node alone will do, and a line says what is missed', async () => {
  const missed = 'without it the portable one serves: some tens of viewers, no WHIP$';
  await goesOn(
    { ...basics, ...user, ...node },
    new RegExp(`not built, cargo is missing \\(https://rustup\\.rs\\); ${missed}`),
  );
  const { cmake, ...rest } = all;
  assert.ok(cmake);
  const built = { ...basics, ...user, ...node, ...rest, cargo: 'exit 1' };
  await goesOn(built, new RegExp(`not built, packages are missing \\(cmake\\); ${missed}`));
  const apt = `echo "$*" >>"$(dirname "$0")/apt"`;
  await goesOn({ ...basics, ...root, ...node, 'apt-get': apt }, new RegExp(`not built, cargo is missing .*${missed}`));
});

test('--engine portable needs neither compiler nor word', async () => {
  const { code, stderr } = await runs('scripts/start', { ...basics, ...user, ...node }, [
    '--engine=portable',
    '--help',
  ]);
  assert.is(code, 0, stderr);
  assert.not.match(stderr, /^(packages|addon|native engine): /m);
});

test('tests that cannot run have failed', async () => {
  const result = await runs('scripts/test', { ...basics, ...user });
  assert.is(result.code, 1);
  assert.is(result.stdout.trimEnd().split('\n').at(-1), '0 passed, 1 failed');
});

test('an unknown runtime is refused', async () => {
  const result = await runs('scripts/start', { ...basics, ...user, ...node, ...all }, ['--runtime', 'tcl']);
  assert.is(result.code, 1);
  assert.match(result.stderr, "--runtime takes node, bun or deno, not 'tcl'");
});

test.run();

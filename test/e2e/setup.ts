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
const tools = ['cmake', 'make', 'g++', 'perl', 'pkg-config', 'ffmpeg', 'ffprobe', 'chromium', 'nft', 'ip'];
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

async function saysOneLine(programs: Record<string, string>, line: RegExp): Promise<void> {
  const { code, stdout, stderr } = await runs('scripts/start', programs);
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

test('an ordinary user is told which packages to install', async () => {
  const { cmake, ffprobe, ...rest } = all;
  assert.ok(cmake && ffprobe);
  await saysOneLine({ ...basics, ...user, ...node, ...rest }, /^start: packages are missing: install cmake ffmpeg /);
});

test('root on Debian gets just the missing packages installed', async () => {
  const apt = `echo "$DEBIAN_FRONTEND $*" >>"$(dirname "$0")/apt"`;
  const { cmake, perl, ...rest } = all;
  assert.ok(cmake && perl);
  const result = await runs('scripts/start', { ...basics, ...root, ...node, ...rest, 'apt-get': apt });
  assert.is(result.apt, 'noninteractive update\nnoninteractive install -y --no-install-recommends cmake perl\n');
  assert.match(result.stderr, /^packages: installing cmake perl$/m);
});

test('a package that cannot be installed ends the set-up with what apt-get said', async () => {
  const apt = 'echo "E: Unable to locate package cmake" >&2; exit 100';
  const { cmake, ...rest } = all;
  assert.ok(cmake);
  const result = await runs('scripts/start', { ...basics, ...root, ...node, ...rest, 'apt-get': apt });
  assert.is(result.code, 1);
  assert.match(result.stderr, /Unable to locate package cmake\nstart: apt-get could not install cmake: see above\n$/);
});

test('without Rust a line says how to get it', async () => {
  await saysOneLine(
    { ...basics, ...user, ...node, ...all },
    /^start: cargo is missing: install Rust \(https:\/\/rustup\.rs\)/,
  );
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

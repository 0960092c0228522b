import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../support/child.ts';
import { currentRuntime } from '../support/runtimes.ts';

// What the command says, letter by letter and the same on every runtime: a file of golden/ for each case, with the
// command line, the exit code and both outputs.
const test = suite('what the command says');

const CASES = [
  'help',
  'help-serve',
  'help-doctor',
  'help-bench',
  'no-command',
  'unknown-command',
  'mistyped-command',
  'unknown-option',
  'missing-value',
  'wrong-value',
  'wrong-doctor',
  'wrong-bench',
  'broken-json',
  'wrong-file',
];

for (const name of CASES) {
  test(name, async () => {
    const [, line = '', code = '', stdout = '', stderr = ''] =
      /^\$ fetch-whep ?(.*)\nexit code (\d)\n-- stdout\n(.*)-- stderr\n(.*)$/s.exec(
        readFileSync(`test/cli/golden/${name}.txt`, 'utf8'),
      ) ?? [];
    const child = new Child(currentRuntime(), 'dist/cli.js', line === '' ? [] : line.split(' '));
    assert.equal(await child.ending(), { code: Number(code), signal: null }, child.stderr);
    assert.is(child.stdout, stdout);
    assert.is(child.stderr, stderr);
    for (const text of stdout.split('\n')) assert.ok(text.length <= 120, text);
  });
}

test('--version is the one of the package', async () => {
  const child = new Child(currentRuntime(), 'dist/cli.js', ['--version']);
  assert.equal(await child.ending(), { code: 0, signal: null });
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  assert.is(child.stdout, `${version}\n`);
});

test.run();

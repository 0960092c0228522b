import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../../support/child.ts';
import { currentRuntime } from '../../support/runtimes.ts';

const test = suite('viewers whose media are dropped');

test('keep their sessions longer than consent would last without answers (RFC 7675 §5.1: 30 s)', async () => {
  const args = ['--sender-only', '--viewers', '3', '--secs', '45', '--json'];
  const child = new Child(currentRuntime(), 'dist/cli.js', ['bench', 'fanout', ...args]);
  const { code } = await child.ending(180_000);
  if (spawnSync('unshare', ['--net', 'true']).status !== 0) {
    assert.is(code, 1);
    return;
  }
  assert.is(code, 0, child.stderr);
  const { connected, packetsPerSecond } = JSON.parse(child.stdout) as {
    connected: number;
    packetsPerSecond: { delivered: number; expected: number };
  };
  assert.is(connected, 3);
  const { delivered, expected } = packetsPerSecond;
  assert.ok(Math.abs(delivered - expected) < expected * 0.1, `${delivered} of ${expected}`);
});

test.run();

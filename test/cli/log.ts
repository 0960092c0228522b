import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Load, openLoad } from '../../src/cli/bench/load.ts';
import { eventually } from '../support/eventually.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { atTerminal } from '../support/terminal.ts';

const test = suite('log');

/** A server with a viewer that has played for more than a second, reported, and left. */
async function watched(args: string[], use: (server: RunningServer, load: Load) => Promise<void>): Promise<void> {
  const server = await startServer(currentRuntime(), args);
  const load = openLoad();
  try {
    await server.live();
    assert.equal((await load.join(joining(server))).failures, []);
    // Sound alone has 50 packets a second: by then there was a report of the first second.
    await eventually('two seconds of media', () => load.sample(0).packets >= 200);
    await load.leave(0);
    await use(server, load);
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    await load.close();
    server.child.kill('SIGKILL');
  }
}

function joining({ url }: RunningServer): Parameters<Load['join']>[0] {
  return { url: `${url}/whep/demo`, viewers: 1, over: 0, group: 0 };
}

test('a line for the start of a session and one for its end, with reason, duration, bytes and loss', async () => {
  await watched([], async (server, load) => {
    const { child } = server;
    await eventually('the end', () => / left demo/.test(child.stderr));
    const [start = '', end = ''] = child.stderr
      .split('\n')
      .filter((line) => / (joined|left) demo/.test(line))
      .slice(-2);
    assert.match(start, /^\d{4}-\d\d-\d\d .* \[INF\] fetch-whep·session: viewer [\w-]{8} joined demo$/);
    const [, seconds, bytes] =
      / viewer [\w-]{8} left demo: left after ([\d.]+) s, (\d+) bytes, 0\.00 % lost$/.exec(end) ?? [];
    assert.ok(Number(seconds) > 1 && Number(bytes) > 10_000, end);
    assert.equal((await load.join(joining(server))).failures, []);
    server.child.kill('SIGTERM');
    await server.child.ending();
    assert.match(
      server.child.stderr,
      / left demo: server-closing after /,
      'the last line is out before the process ends',
    );
  });
});

test('--log-format json: a line of JSON each, with the same as numbers', async () => {
  await watched(['--log-format', 'json'], async ({ child }) => {
    await eventually('the end', () => /"reason":"left".*\n$/.test(child.stderr));
    const records = child.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const { '@timestamp': time, level, logger, message, properties } = records.at(-1);
    assert.ok(!Number.isNaN(Date.parse(time)), time);
    assert.equal(
      [level, logger, properties.kind, properties.stream, properties.reason],
      ['INFO', 'fetch-whep.session', 'viewer', 'demo', 'left'],
    );
    assert.match(message, / left .*demo.*: .*left.* after /);
    assert.ok(properties.seconds > 1 && properties.bytes > 10_000, JSON.stringify(properties));
    assert.is(properties.lossRatio, 0);
  });
});

test('lines have colours on a terminal alone, and not with NO_COLOR', async () => {
  const shown = (env: Record<string, string>) =>
    atTerminal(['serve', '--port', '0'], env, (text) => text.includes('Listening on'));
  assert.ok((await shown({})).includes('\x1b['));
  assert.not((await shown({ NO_COLOR: '1' })).includes('\x1b['));
});

test.run();

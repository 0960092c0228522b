import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Load, openLoad } from '../../src/cli/bench/load.ts';
import { eventually } from '../support/eventually.ts';
import { hold } from '../support/ports.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const test = suite('SIGHUP');
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-test-'));
const config = join(folder, 'c.json');
let load: Load;

test.before(() => {
  load = openLoad();
});
test.after(async () => {
  await load.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(content: unknown): void {
  writeFileSync(config, typeof content === 'string' ? content : JSON.stringify(content));
}

async function withServer(content: unknown, use: (server: RunningServer) => Promise<void>): Promise<void> {
  write(content);
  const server = await startServer(currentRuntime(), ['--config', config, '--max-viewers', '50']);
  try {
    await use(server);
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
}

/** Sends the signal and gives the log lines that it brings, up to the one that tells the outcome. */
function hangUp({ child }: RunningServer): Promise<string[]> {
  const before = child.stderr.length;
  child.kill('SIGHUP');
  return eventually('the outcome in the log', () => {
    const said = child.stderr.slice(before).split('\n').slice(0, -1);
    // The files are looked at without a signal too, for the tokens in them.
    const lines = said.filter((line) => !line.includes('not renewed'));
    return lines.some((line) => /config reloaded|not reloaded/.test(line)) && lines.map(withoutTime);
  });
}

function withoutTime(line: string): string {
  return line.replace(/^\S+ \S+ \S+ /, '').replaceAll(`${folder}/`, '');
}

async function streams({ url }: RunningServer): Promise<Record<string, { source: string; viewers: number }>> {
  return (await (await fetch(`${url}/webrtc/stats`)).json()).streams;
}

/** That viewers get that many more packets, and have missed none. */
async function plays(group: number, packets = 60): Promise<void> {
  const start = load.sample(group).packets;
  await eventually(`${packets} packets more`, () => load.sample(group).packets >= start + packets);
  assert.is(load.sample(group).lost, 0);
}

async function joinOne({ url }: RunningServer, stream: string, group: number): Promise<void> {
  const joining = { url: `${url}/whep/${stream}`, viewers: 1, over: 0, group };
  assert.equal((await load.join(joining)).failures, []);
  await plays(group, 1);
}

test('streams come, go and change, while a viewer of another keeps playing', async () => {
  // The last is a name that every object has.
  const before = { kept: 'clip', changed: 'clip', constructor: 'clip' };
  await withServer({ streams: before }, async (server) => {
    await server.live(3);
    await joinOne(server, 'kept', 1);
    await joinOne(server, 'changed', 2);

    write({ streams: { kept: { clip: {} }, changed: 'rtp:0', added: 'clip' } });
    const said = await hangUp(server);
    assert.is(
      said.at(-1),
      '[INF] fetch-whep·config: config reloaded: added added, changed changed, constructor removed, kept kept',
    );
    const now = await streams(server);
    assert.equal(Object.keys(now).toSorted(), ['added', 'changed', 'kept']);
    assert.equal([now.kept?.viewers, now.changed?.source, now.changed?.viewers], [1, 'rtp', 0]);
    assert.match(said.join('\n'), / left changed: stream-removed after /);
    await plays(1);

    write('{ "streams": {} ');
    assert.equal(await hangUp(server), [
      '[ERR] fetch-whep·config: config not reloaded: --config c.json: not JSON: unexpected end of input in line 1, column 16',
    ]);
    write({ streams: { kept: 'clip', changed: 'tape' }, colour: 'red' });
    assert.equal(await hangUp(server), [
      '[ERR] fetch-whep·config: config not reloaded: c.json: colour: no such option; remove it or correct its name',
    ]);
    assert.equal(Object.keys(await streams(server)).toSorted(), ['added', 'changed', 'kept']);
    await plays(1);
    await load.leave(1);
  });
});

test('options that need a restart are named, and those of the command line are not among them', async () => {
  await withServer({ maxViewers: 5, graceSeconds: 1, streams: { a: 'clip' } }, async (server) => {
    write({
      maxViewers: 6,
      graceSeconds: 2,
      turn: { urls: 'turn:a', secret: 'hush' },
      streams: { a: 'clip', b: 'push' },
    });
    const line = await eventually('the warning', async () => (await hangUp(server)) && warning(server));
    assert.is(line, '[WRN] fetch-whep·config: restart for a new graceSeconds, turn');
    assert.equal(Object.keys(await streams(server)), ['a', 'b']);
    assert.not.match(server.child.stderr, /hush/);
  });
});

test('what was applied is not applied again', async () => {
  await withServer({ streams: { a: 'clip' } }, async (server) => {
    write({ streams: { a: 'push', b: 'clip' } });
    assert.match((await hangUp(server)).at(-1) ?? '', ': b added, a changed, none removed, none kept');
    assert.equal(await hangUp(server), [
      '[INF] fetch-whep·config: config reloaded: none added, none changed, none removed, a, b kept',
    ]);
    write({ streams: { b: 'clip' } });
    assert.match((await hangUp(server)).at(-1) ?? '', ': none added, none changed, a removed, b kept');
    assert.match((await hangUp(server)).at(-1) ?? '', ': none added, none changed, none removed, b kept');
  });
});

function warning({ child }: RunningServer): string | undefined {
  return child.stderr
    .split('\n')
    .map(withoutTime)
    .find((line) => line.includes('restart'));
}

test('a stream that cannot start is told, and starts with a later signal', async () => {
  await withServer({ streams: { a: 'clip' } }, async (server) => {
    const busy = await hold('127.0.0.1', 0);
    if (busy === undefined) throw new Error('there is no free port');
    write({ streams: { late: `rtp:${busy.port}`, a: 'clip' } });
    const said = await hangUp(server);
    assert.match(
      said.join('\n'),
      new RegExp(`ERR.* stream late is not there, it could not be started: .*${busy.port}`),
    );
    assert.equal(Object.keys(await streams(server)), ['a']);
    await busy.release();
    assert.match((await hangUp(server)).at(-1) ?? '', /late added/);
    assert.equal(Object.keys(await streams(server)).toSorted(), ['a', 'late']);
  });
});

test('of a server that reads no file it is the end: its terminal was closed', async () => {
  const server = await startServer(currentRuntime(), []);
  server.child.kill('SIGHUP');
  assert.equal(await server.child.ending(), { code: 0, signal: null });
});

test.run();

import { setImmediate } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, Failure, type Source } from '../../src/index.ts';
import { Clock } from '../support/clock.ts';
import { Client, SDP, WATCH } from '../support/contract/client.ts';
import { eventually } from '../support/eventually.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { inTime } from '../support/in-time.ts';
import { withLogs } from '../support/logs.ts';

const test = suite('streams and servers that leave');

interface Told extends Source {
  /** What it was asked for, in this order. */
  asked: string[];
}

/** A source that does nothing but what a test says. */
function source(name: string, asked: string[], does: Partial<Source> = {}): Told {
  const { start, stop, ...rest } = does;
  return {
    kind: 'rtp',
    ingress: { kind: 'rtp', host: '127.0.0.1', video: { port: 0, codec: 'h264' } },
    describe: () => name,
    ...rest,
    asked,
    start: (...args) => {
      asked.push(`${name} start`);
      return start?.(...args) ?? Promise.resolve();
    },
    stop: () => {
      asked.push(`${name} stop`);
      return stop?.() ?? Promise.resolve();
    },
  };
}

/** A promise to settle from outside. */
function gate(): { opened: Promise<void>; open(): void; fail(error: Error): void } {
  let open = () => {};
  let fail = (_: Error) => {};
  const opened = new Promise<void>((resolve, reject) => {
    [open, fail] = [resolve, reject];
  });
  return { opened, open: () => open(), fail: (error) => fail(error) };
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  const failure = await failureOf(work);
  if (failure === undefined || failure instanceof Failure) return failure?.code;
  throw failure;
}

async function start() {
  const engine = new FakeEngine();
  return { engine, server: await createServer({ engine }) };
}

test('a stream that is removed while it is added, and whose addition fails, leaves its id free and nothing behind', async () => {
  const { engine, server } = await start();
  const asked: string[] = [];
  const begun = gate();
  const added = codeOf(server.streams.add('a', source('first', asked, { start: () => begun.opened })));
  await eventually('its start', () => asked.length > 0);
  const removed = server.streams.remove('a');
  assert.is(await added, 'stream-not-found');
  assert.is(await codeOf(server.streams.add('a', source('early', asked))), 'stream-exists');
  begun.fail(new Error('too late'));
  assert.is(await removed, true);
  await server.streams.add('a', source('second', asked));
  assert.equal([server.streams.get('a')?.id, [...engine.streams.keys()]], ['a', ['a']]);
  assert.equal(asked, ['first start', 'first stop', 'second start']);
  await server.close();
  assert.is(asked.at(-1), 'second stop');
});

test('what cannot be started leaves no stream in the engine, whichever step it is', async () => {
  const { engine, server } = await start();
  const broken = () => {
    throw new Error('broken');
  };
  const steps: Partial<Source>[] = [
    { ingress: async () => broken() },
    { pullWith: broken },
    { start: async () => broken() },
    { start: broken },
  ];
  for (const does of steps) {
    const asked: string[] = [];
    const failure = await failureOf(server.streams.add('a', source('it', asked, does)));
    assert.is(failure instanceof Error && failure.message, 'broken');
    assert.equal([engine.streams.size, asked.at(-1), server.streams.get('a')], [0, 'it stop', undefined]);
  }
  engine.script.addStream = async () => broken();
  await failureOf(server.streams.add('a', 'push'));
  engine.script = {};
  await server.streams.add('a', 'push');
  await server.close();
});

test('a stream that is removed stops its source and closes its ingress; whoever removes it too waits for that', async () => {
  const { engine, server } = await start();
  const asked: string[] = [];
  const stopped = gate();
  await server.streams.add('a', source('it', asked, { stop: () => stopped.opened }));
  let removed = 0;
  const both = [server.streams.remove('a'), server.streams.remove('a')].map(async (work) => {
    const result = await work;
    removed++;
    return result;
  });
  await Promise.resolve();
  assert.equal([removed, server.streams.get('a'), [...server.streams]], [0, undefined, []]);
  stopped.open();
  assert.equal(await Promise.all(both), [true, false]);
  assert.equal([asked, engine.streams.size], [['it start', 'it stop'], 0]);
  await server.close();
});

test('a source that does not stop keeps its id until it does', async () => {
  const { engine, server } = await start();
  const asked: string[] = [];
  let stop = (): Promise<void> => Promise.reject(new Error('not yet'));
  await server.streams.add('a', source('it', asked, { stop: () => stop() }));
  assert.match(String(await failureOf(server.streams.remove('a'))), 'not yet');
  assert.equal([server.streams.get('a'), engine.streams.size], [undefined, 0], 'what can end has ended');
  assert.is(await codeOf(server.streams.add('a', 'clip')), 'stream-exists');
  stop = async () => {};
  assert.is(await server.streams.remove('a'), true);
  assert.is(await server.streams.remove('a'), false);
  await server.streams.add('a', 'clip');
  await server.close();
});

test('a stream that fails while it is being added has its source stopped all the same', async () => {
  const { engine, server } = await start();
  const asked: string[] = [];
  const begun = gate();
  const added = server.streams.add('a', source('it', asked, { start: () => begun.opened }));
  await eventually('its start', () => asked.length > 0);
  engine.emit({ type: 'stream-failed', stream: 'a', text: 'broken' });
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.equal(asked, ['it start'], 'it is not stopped while it starts');
  begun.open();
  await added;
  await eventually('its end', () => asked.includes('it stop'));
  assert.equal([asked, server.streams.get('a')?.state], [['it start', 'it stop'], 'ended']);
  await server.close();
});

test('close() ends everything that can be ended, and tells of all that could not', async () => {
  const { engine, server } = await start();
  const asked: string[] = [];
  const broken = (what: string) => async () => Promise.reject(new Error(what));
  await server.streams.add('a', source('one', asked, { stop: broken('one will not') }));
  await server.streams.add('b', source('two', asked, { stop: broken('two will not') }));
  await server.streams.add('c', source('three', asked));
  engine.script.removeStream = async (stream) => {
    if (stream === 'c') throw new Error('three is stuck');
  };
  const failure = await failureOf(server.close());
  assert.ok(failure instanceof AggregateError);
  assert.equal(failure.errors.map(({ message }) => message).toSorted(), [
    'one will not',
    'three is stuck',
    'two will not',
  ]);
  for (const { message } of failure.errors) assert.match(failure.message, message);
  assert.equal([engine.closed, asked.filter((each) => each.endsWith('stop')).length], [true, 3]);
});

test('a single thing that goes wrong on close() is told as it is', async () => {
  const { engine, server } = await start();
  const broken = new Error('stuck');
  engine.script.close = async () => Promise.reject(broken);
  assert.is(await failureOf(server.close()), broken);
});

test('close() does not wait for ever, whatever hangs, and says what does', async () => {
  const never = () => new Promise<void>(() => {});
  for (const [what, script, does] of [
    [/"a"/, {}, { stop: never }],
    [/"a"/, {}, { start: never }],
    [/"a"/, { removeStream: never }, {}],
    [/engine/, { close: never }, {}],
  ] as const) {
    const clock = new Clock();
    try {
      const { engine, server } = await start();
      const added = codeOf(server.streams.add('a', source('it', [], does)));
      await clock.advance(0);
      engine.script = script;
      const closed = failureOf(server.close());
      await clock.advance(20_100);
      assert.match(String(await closed), what);
      assert.is(engine.closed, !('close' in script));
      assert.is(await added, 'start' in does ? 'closing' : undefined);
    } finally {
      clock.restore();
    }
  }
});

test('an add ends with `closing` at once when the server closes, however slow its source is', async () => {
  for (const step of ['ingress', 'start'] as const) {
    const { engine, server } = await start();
    const asked: string[] = [];
    const signals: AbortSignal[] = [];
    const slow = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => {
        signals.push(signal);
        signal.addEventListener('abort', () => reject(new Error('given up')));
      });
    const does: Partial<Source> =
      step === 'ingress' ? { ingress: slow } : { start: (_id, _ports, signal) => slow(signal) };
    const added = codeOf(server.streams.add('a', source('it', asked, does)));
    await eventually('its beginning', () => signals.length > 0);
    const closed = server.close();
    assert.is(await added, 'closing');
    await closed;
    assert.equal([engine.closed, engine.streams.size, asked.at(-1)], [true, 0, 'it stop']);
    assert.is(await codeOf(server.streams.add('b', 'clip')), 'closing');
  }
});

test('the clean-up of a server that could not start does not hide why', async () => {
  const engine = new FakeEngine();
  engine.script.close = async () => Promise.reject(new Error('stuck too'));
  const streams = {
    good: source('good', [], { stop: async () => Promise.reject(new Error('will not')) }),
    bad: source('bad', [], { start: async () => Promise.reject(new Failure('ffmpeg-missing', 'install it')) }),
  };
  assert.is(await codeOf(createServer({ engine, streams })), 'ffmpeg-missing');
});

test(
  'the grace time of a stream that is gone does not end the viewers of the next one of its id',
  inTime({ graceSeconds: 10 }, async ({ clock, engine, client, server, viewers, state }) => {
    for (const leg of ['video', 'audio'] as const) engine.leg('live', leg, false);
    await clock.advance(9_000);
    assert.ok(await server.streams.remove('live'));
    await server.streams.add('live', 'clip');
    const { location } = await client.watch();
    engine.emit({ type: 'session-connected', session: location.split('/').at(-1) ?? '' });
    await clock.advance(2_000);
    assert.equal([viewers(), state()], [1, 'live']);
    assert.is(await client.metric('whep_ffmpeg_leg_failures_total{stream="live",leg="video"}'), 0);
  }),
);

test('of a stream that is gone no refusals are remembered: those of the next one are told at once', async () => {
  await withLogs(async (messages) => {
    const engine = new FakeEngine();
    const server = await createServer({ engine, maxViewersPerStream: 1 });
    const client = new Client({ ...server, engine });
    for (const times of [1, 2]) {
      await server.streams.add('live', 'clip');
      await client.watch();
      for (let more = 0; more < 3; more++) {
        assert.is((await client.send('POST', '/whep/live', { headers: SDP, body: WATCH })).status, 503);
      }
      assert.is(messages.filter((each) => each.includes('maxViewersPerStream')).length, times);
      await server.streams.remove('live');
    }
    await server.close();
  });
});

test.run();

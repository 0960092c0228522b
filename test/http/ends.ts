import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Failure, type Source } from '../../src/index.ts';
import { Turns } from '../../src/turns.ts';
import { FRAGMENT } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { inTime } from '../support/in-time.ts';

const test = suite('what fails, what is busy, and what the end interrupts');

const CANDIDATE = 'candidate:1 1 UDP 2122252543 2001:db8::7 54321 typ host';

/** A source that only waits; `ingress` is what it does first. */
function source(ingress: Source['ingress'], stopped: () => void = () => {}): Source {
  return { kind: 'push', ingress, start: async () => {}, stop: async () => stopped(), describe: () => 'test' };
}

test(
  'a stream that has failed ends with its viewers and says why, and can be removed and added again',
  inTime({ streams: { live: 'clip', other: 'clip' } }, async ({ engine, server, client, state }) => {
    await client.watch();
    await client.watch('/whep/other');
    for (const leg of ['video', 'audio'] as const) engine.leg('live', leg, false);
    engine.emit({ type: 'stream-failed', stream: 'live', text: 'ingest has failed' });
    engine.emit({ type: 'stream-failed', stream: 'unknown', text: 'ingest has failed' });
    assert.equal([state(), state('other')], ['ended', 'live']);
    assert.equal(
      [...server.sessions].map(({ stream }) => stream),
      ['other'],
    );
    assert.equal((await client.stats()).streams.live?.warnings, ['ingest has failed']);
    assert.is((await client.send('POST', '/whep/live')).status, 409);
    assert.is(await client.metric('whep_sessions_ended_total{reason="stream-ended"}'), 1);
    assert.ok(await server.streams.remove('live'));
    await server.streams.add('live', 'clip');
    assert.is(state(), 'live');
  }),
);

test(
  'the source of a stream that has failed is stopped',
  inTime({}, async ({ clock, engine, server }) => {
    let stops = 0;
    const made = source({ kind: 'push', audio: { codec: 'opus' } }, () => stops++);
    await server.streams.add('cam', made);
    engine.emit({ type: 'stream-failed', stream: 'cam', text: 'ingest has failed' });
    await clock.advance(0);
    assert.is(stops, 1);
  }),
);

test(
  'a PATCH waits for the engine, but a second at most',
  inTime({ iceChecks: 'both' }, async ({ clock, engine, client }) => {
    const { location } = await client.watch();
    let free = () => {};
    engine.script.addCandidate = () =>
      new Promise((resolve) => {
        free = resolve;
      });
    const patch = (port: number) => {
      const reply = { status: 0 };
      const body = fragment(CANDIDATE.replace('54321', String(port)));
      void client
        .send('PATCH', location, { headers: FRAGMENT, body })
        .then(({ status }) => Object.assign(reply, { status }));
      return reply;
    };
    const first = patch(1);
    await clock.advance(900);
    assert.is(first.status, 0);
    free();
    await clock.advance(1);
    assert.is(first.status, 204);
    const second = patch(2);
    await clock.advance(900);
    assert.is(second.status, 0);
    await clock.advance(200);
    assert.is(second.status, 204, 'its candidate waits on');
    assert.is(engine.candidates.length, 2);
  }),
);

test(
  'close() does not wait for a source that looks at its input, and whoever adds it hears of the end',
  inTime({}, async ({ server, engine }) => {
    const looking = source(
      (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up')))),
    );
    const adding = server.streams.add('cam', looking).catch((error: unknown) => error);
    const closed = server.close();
    const late = server.streams.add('late', 'clip').catch((error: unknown) => error);
    assert.is(server.close(), closed, 'a second close() is the first');
    await closed;
    for (const error of [await adding, await late]) assert.is(error instanceof Failure && error.code, 'closing');
    assert.ok(engine.closed);
  }),
);

test('a stream whose engine is slow to add it is none when the server has closed meanwhile', async () => {
  await inTime({}, async ({ server, engine }) => {
    let added = () => {};
    engine.script.addStream = () =>
      new Promise((resolve) => {
        added = resolve;
      });
    const adding = server.streams.add('cam', 'clip').catch((error: unknown) => error);
    await Promise.resolve();
    const closed = server.close();
    added();
    await closed;
    const error = await adding;
    assert.is(error instanceof Failure && error.code, 'closing');
  })();
});

test('turns keep their order whatever each takes, and a failure ends none but its own', async () => {
  const turns = new Turns();
  const done: string[] = [];
  const after = (name: string, ticks: number) => async () => {
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    done.push(name);
    return name;
  };
  const all = [
    turns.take('a', after('first', 20)),
    turns.take('a', async () => {
      throw new Error('second');
    }),
    turns.take('a', after('third', 0)),
    turns.take('b', after('other', 0)),
  ];
  const settled = await Promise.allSettled(all);
  assert.equal(done, ['other', 'first', 'third']);
  assert.equal(
    settled.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
});

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PUBLISH, type Reply, SDP } from '../support/contract/client.ts';
import { inTime, type World } from '../support/in-time.ts';

const test = suite('publishers that take over, and engines that are stuck');

const STREAMS = { streams: { live: 'clip', over: { whip: { takeover: true } }, pub: 'whip' } } as const;

function post({ client }: World, stream: string): Promise<Reply> {
  return client.send('POST', `/whip/${stream}`, { headers: SDP, body: PUBLISH });
}

/** Publishes and connects; the session's id. */
async function published(world: World, stream: string): Promise<string> {
  const session = idOf(await post(world, stream));
  world.engine.emit({ type: 'session-connected', session });
  return session;
}

function idOf({ status, text, headers }: Reply): string {
  assert.is(status, 201, text);
  return headers.get('location')?.split('/').at(-1) ?? '';
}

function sessions({ server }: World): string[] {
  return [...server.sessions].map(({ id }) => id);
}

test(
  'the first publishes until the second is connected',
  inTime(STREAMS, async (world) => {
    const { clock, engine, client } = world;
    const first = await published(world, 'over');
    const second = idOf(await post(world, 'over'));
    assert.equal(
      [sessions(world), [...engine.peers.keys()]],
      [
        [first, second],
        [first, second],
      ],
    );
    assert.is((await client.send('GET', `/whip/over/${first}`)).status, 204);
    engine.emit({ type: 'session-connected', session: second });
    assert.equal(sessions(world), [second]);
    await clock.advance(0);
    assert.equal([...engine.peers.keys()], [second]);
    assert.is(await client.metric('whep_sessions_ended_total{reason="replaced"}'), 1);
    assert.is(await client.metric('whep_session_setup_failures_total{reason="replaced"}'), 0);
    assert.is(world.state('over'), 'live');
  }),
);

test(
  'the first goes on when the second fails, whatever way it does',
  inTime(STREAMS, async (world) => {
    const { clock, engine, client, state } = world;
    const first = await published(world, 'over');
    engine.script.addPeer = async () => Promise.reject(new Error('broken'));
    assert.is((await post(world, 'over')).status, 500);
    engine.script.addPeer = async ({ id }) =>
      engine.emit({ type: 'session-ended', session: id, reason: 'engine-error' });
    assert.is((await post(world, 'over')).status, 500);
    delete engine.script.addPeer;
    engine.emit({ type: 'session-ended', session: idOf(await post(world, 'over')), reason: 'ice-failed' });
    idOf(await post(world, 'over'));
    await clock.advance(15_100);
    await client.send('DELETE', `/whip/over/${idOf(await post(world, 'over'))}`);
    await clock.advance(0);
    assert.equal([sessions(world), [...engine.peers.keys()], state('over')], [[first], [first], 'live']);
    assert.is((await client.send('DELETE', `/whip/over/${first}`)).status, 200);
  }),
);

test(
  'one that is still connecting makes way for the next, the one that is connected does not',
  inTime(STREAMS, async (world) => {
    const first = await published(world, 'over');
    for (let round = 0; round < 5; round++) await post(world, 'over');
    const last = idOf(await post(world, 'over'));
    assert.equal(sessions(world), [first, last]);
    assert.is(world.server.snapshot().streams.over?.publishers, 1);
  }),
);

test(
  'one that connects after a later one was let in does not end that one',
  inTime(STREAMS, async (world) => {
    const { engine } = world;
    let go = () => {};
    const first = idOf(await post(world, 'over'));
    engine.script.addPeer = () =>
      new Promise((resolve) => {
        go = resolve;
      });
    const reply = post(world, 'over');
    await world.clock.advance(0);
    engine.emit({ type: 'session-connected', session: first });
    go();
    const second = idOf(await reply);
    assert.equal(sessions(world), [first, second]);
    engine.emit({ type: 'session-connected', session: second });
    assert.equal(sessions(world), [second]);
  }),
);

test(
  'an engine that is stuck gives a publisher its 504 in time, and the next is served when it is well again',
  inTime(STREAMS, async (world) => {
    const { clock, engine } = world;
    const late: (() => void)[] = [];
    engine.script.addPeer = () => new Promise((resolve) => late.push(resolve));
    engine.script.removeSession = () => new Promise(() => {});
    let status = 0;
    const reply = post(world, 'pub').then((answer) => {
      status = answer.status;
    });
    await clock.advance(9_900);
    assert.equal([status, sessions(world).length], [0, 1]);
    await clock.advance(200);
    await reply;
    assert.equal([status, sessions(world)], [504, []]);
    engine.script = {};
    const second = await published(world, 'pub');
    for (const resolve of late) resolve();
    await clock.advance(20_000);
    assert.equal([...engine.peers.keys()], [second], 'what was made too late is gone');
  }),
);

test(
  'of publishers that wait behind one that is stuck none is made for nobody',
  inTime(STREAMS, async (world) => {
    const { clock, engine } = world;
    const made: string[] = [];
    engine.script.addPeer = ({ id }) => {
      made.push(id);
      return new Promise(() => {});
    };
    const replies = Promise.all([post(world, 'over'), post(world, 'over'), post(world, 'over')]);
    await clock.advance(10_100);
    assert.equal(
      (await replies).map(({ status }) => status),
      [504, 504, 504],
    );
    await clock.advance(60_000);
    assert.is(made.length, 1);
  }),
);

test(
  'a session that the engine cannot end is gone all the same, and who ended it hears so',
  inTime(STREAMS, async (world) => {
    const { clock, engine, client } = world;
    const { location } = await client.watch();
    engine.script.removeSession = () => new Promise(() => {});
    const reply = client.send('DELETE', location);
    await clock.advance(10_100);
    assert.equal([(await reply).status, sessions(world)], [204, []]);
  }),
);

test.run();

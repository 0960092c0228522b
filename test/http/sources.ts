import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LegKind } from '../../src/index.ts';
import { PUBLISH, SDP } from '../support/contract/client.ts';
import { inTime, type World } from '../support/in-time.ts';

const test = suite('sources in time');

async function publish({ client, server }: World): Promise<{ status: number; session: string }> {
  const before = new Set([...server.sessions].map(({ id }) => id));
  const { status } = await client.send('POST', '/whip/pub', { headers: SDP, body: PUBLISH });
  return { status, session: [...server.sessions].find(({ id }) => !before.has(id))?.id ?? '' };
}

const STREAMS = { streams: { live: 'clip', pub: 'whip', idle: 'rtp:0,0', frames: 'push' } } as const;

test(
  'a source that never delivers is starting, then stalled, and a viewer gets 409 with Retry-After',
  inTime(STREAMS, async ({ clock, client, state }) => {
    for (const [wait, expected] of [
      [0, 'starting'],
      [7_000, 'starting'],
      [2_000, 'stalled'],
      [3_600_000, 'stalled'],
    ] as const) {
      await clock.advance(wait);
      const streams = ['pub', 'idle', 'frames'];
      for (const stream of streams) assert.is(state(stream), expected, stream);
      let answered = false;
      const replies = Promise.all(streams.map((stream) => client.send('POST', `/whep/${stream}`))).finally(() => {
        answered = true;
      });
      // A stream that is starting is waited for, from whenever the requests have come so far.
      for (let step = 0; !answered && step < 500; step++) await clock.advance(20);
      for (const { status, headers } of await replies) {
        const seconds = Number(headers.get('retry-after'));
        assert.equal([status, seconds >= 1 && seconds <= 10], [409, true]);
      }
    }
  }),
);

test(
  'a publisher that leaves does not take its viewers along, and the next one carries them on',
  inTime(STREAMS, async (world) => {
    const { clock, client, server, state } = world;
    const first = await publish(world);
    await client.watch('/whep/pub');
    world.engine.emit(...[...server.sessions].map(({ id }) => ({ type: 'session-connected' as const, session: id })));
    await client.send('DELETE', `/whip/pub/${first.session}`);
    assert.is(state('pub'), 'stalled');
    await clock.advance(9_000);
    assert.is(server.streams.get('pub')?.viewers, 1);
    const second = await publish(world);
    assert.is(second.status, 201);
    world.engine.emit({ type: 'session-connected', session: second.session });
    assert.is(state('pub'), 'live');
    await clock.advance(60_000);
    assert.is(server.streams.get('pub')?.viewers, 1);
  }),
);

test(
  'after the grace time without a publisher its viewers are ended',
  inTime(STREAMS, async (world) => {
    const { clock, client, server, engine } = world;
    const first = await publish(world);
    await client.watch('/whep/pub');
    engine.emit(...[...server.sessions].map(({ id }) => ({ type: 'session-connected' as const, session: id })));
    await client.send('DELETE', `/whip/pub/${first.session}`);
    await clock.advance(10_100);
    assert.equal([server.streams.get('pub')?.viewers, server.streams.get('pub')?.state], [0, 'ended']);
  }),
);

test(
  'a second publisher is refused while the first sends, and let in when that one is gone',
  inTime(STREAMS, async (world) => {
    const { clock, engine, server } = world;
    const first = await publish(world);
    assert.is((await publish(world)).status, 409, 'the first is connecting');
    engine.emit({ type: 'session-connected', session: first.session });
    await clock.advance(5_000);
    assert.is((await publish(world)).status, 409, 'the first sends');
    engine.leg('pub', 'video', false);
    assert.is((await publish(world)).status, 409, 'the first still sends sound');
    engine.leg('pub', 'audio', false);
    const second = await publish(world);
    assert.is(second.status, 201, 'nothing comes any more');
    assert.is((await publish(world)).status, 409, 'the second is connecting');
    engine.emit({ type: 'session-connected', session: second.session });
    assert.equal(
      [...server.sessions].map(({ id }) => id),
      [second.session],
    );
    await clock.advance(0);
    assert.equal([...engine.peers.keys()], [second.session]);
  }),
);

test(
  'a publisher that pauses is not gone before the silence time is over',
  inTime(STREAMS, async (world) => {
    const { clock, engine } = world;
    const first = await publish(world);
    engine.emit({ type: 'session-connected', session: first.session });
    engine.leg('pub', 'video', false);
    engine.leg('pub', 'audio', false);
    await clock.advance(1_900);
    assert.is((await publish(world)).status, 409);
    await clock.advance(200);
    assert.is((await publish(world)).status, 201);
  }),
);

test(
  'viewers are offered the legs that an input turned out to have, of those that there was room for',
  inTime(STREAMS, async ({ engine, client, server }) => {
    let legs: readonly LegKind[] | undefined;
    await server.streams.add('cam', {
      kind: 'rtp',
      ingress: {
        kind: 'rtp',
        host: '127.0.0.1',
        video: { port: 0, codec: 'h264' },
        audio: { port: 0, codec: 'opus' },
      },
      legs: () => legs,
      start: async () => {},
      stop: async () => {},
      describe: () => 'a camera',
    });
    engine.leg('cam', 'video', true);
    const lines = async () => (await client.watch('/whep/cam')).reply.text.match(/^m=\w+ \d+/gm)?.toSorted();
    assert.equal(await lines(), ['m=audio 9', 'm=video 9']);
    legs = ['video'];
    assert.equal(await lines(), ['m=audio 0', 'm=video 9']);
    assert.is((await client.stats()).streams.cam?.audio, undefined);
  }),
);

test.run();

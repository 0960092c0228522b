import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SDP, WATCH } from '../support/contract/client.ts';
import { h264Facts } from '../support/facts.ts';
import { inTime, type World } from '../support/in-time.ts';

const test = suite('viewers that come while a stream starts');

/** A request that has not been answered yet, and what came of it. */
function post({ client }: World, stream: string, init: RequestInit = {}) {
  const waiting = { status: 0, text: '' };
  const over = client
    .send('POST', `/whep/${stream}`, { headers: SDP, body: WATCH, ...init })
    .then(({ status, text }) => {
      Object.assign(waiting, { status, text });
    });
  return { waiting, over };
}

function videoOf({ engine }: World, stream: string, profileLevelId?: string): void {
  const entry = engine.streams.get(stream);
  if (entry === undefined) throw new Error(`there is no stream ${stream}`);
  entry.facts = { ...entry.facts, video: h264Facts(profileLevelId) };
  engine.emit({ type: 'leg-active', stream, leg: 'video' });
}

const profileOf = (answer: string) => /profile-level-id=(\w+)/.exec(answer)?.[1];

test(
  'before the first packet, and before the first SPS: the answer has the profile that comes then',
  inTime({ streams: { cam: 'rtp:0' } }, async (world) => {
    const { clock } = world;
    const { waiting, over } = post(world, 'cam');
    await clock.advance(1_000);
    videoOf(world, 'cam');
    await clock.advance(900);
    assert.is(waiting.status, 0, 'nothing is guessed');
    videoOf(world, 'cam', '4d401f');
    await clock.advance(100);
    await over;
    assert.equal([waiting.status, profileOf(waiting.text)], [201, '4d001f']);
  }),
);

test(
  'video without an SPS is waited for however long the stream has been there, and 2 s at most',
  inTime({ streams: { cam: 'rtp:0' } }, async (world) => {
    const { clock } = world;
    await clock.advance(60_000);
    videoOf(world, 'cam');
    for (const profileLevelId of [undefined, '4d401f']) {
      const { waiting, over } = post(world, 'cam');
      await clock.advance(1_900);
      assert.is(waiting.status, 0);
      if (profileLevelId) videoOf(world, 'cam', profileLevelId);
      await clock.advance(100);
      await over;
      assert.is(waiting.status, profileLevelId ? 201 : 409);
    }
  }),
);

test(
  'sound waits for the video that belongs to it, and goes on without it',
  inTime({ streams: { cam: 'rtp:0,0', late: 'rtp:0,0', radio: 'rtp:,0' } }, async (world) => {
    const { clock, engine, client } = world;
    await clock.advance(60_000);
    for (const stream of ['cam', 'late', 'radio']) engine.leg(stream, 'audio', true);
    const [cam, late] = [post(world, 'cam'), post(world, 'late')];
    await client.watch('/whep/radio');
    await clock.advance(500);
    assert.equal([cam.waiting.status, late.waiting.status], [0, 0]);
    videoOf(world, 'cam', '640028');
    await clock.advance(100);
    assert.equal([cam.waiting.status, profileOf(cam.waiting.text), late.waiting.status], [201, 'f4001f', 0]);
    await clock.advance(1_400);
    await late.over;
    assert.equal([late.waiting.status, late.waiting.text.match(/^m=\w+ 9/gm)?.length], [201, 2]);
    // Who comes later does not wait for video that did not come.
    await client.watch('/whep/late');
  }),
);

test(
  'what has been silent for long is refused at once, and what is over as well',
  inTime({ streams: { cam: 'rtp:0,0', gone: 'rtp:0,0' } }, async (world) => {
    const { clock, engine, client, state } = world;
    await clock.advance(10_100);
    assert.is(state('cam'), 'stalled');
    engine.emit({ type: 'stream-failed', stream: 'gone', text: 'it has failed' });
    for (const stream of ['cam', 'gone']) assert.is((await client.send('POST', `/whep/${stream}`)).status, 409);
  }),
);

test(
  'a client that goes away waits no longer',
  inTime({ streams: { cam: 'rtp:0,0' } }, async (world) => {
    const gone = new AbortController();
    const { over } = post(world, 'cam', { signal: gone.signal });
    await world.clock.advance(100);
    gone.abort();
    // No time passes: whatever it is answered, it is not later.
    await over.catch(() => {});
    assert.is(world.server.streams.get('cam')?.viewers, 0);
  }),
);

test(
  'who waits goes on at once when the server closes, or the stream is removed',
  inTime({ streams: { cam: 'rtp:0,0', other: 'rtp:0,0' } }, async (world) => {
    const [cam, other] = [post(world, 'cam'), post(world, 'other')];
    await world.clock.advance(100);
    await world.server.streams.remove('cam');
    await world.clock.advance(20);
    await cam.over;
    assert.is(cam.waiting.status, 404);
    await Promise.all([world.server.close(), other.over]);
    assert.is(other.waiting.status, 503);
  }),
);

test(
  'who waits holds no place, and there is an end to how many wait',
  inTime({ streams: { live: 'clip', cam: 'rtp:0' }, maxViewers: 1 }, async (world) => {
    const { clock, client } = world;
    const crowd = Array.from({ length: 256 }, () => post(world, 'cam'));
    await clock.advance(100);
    assert.ok(crowd.every(({ waiting }) => waiting.status === 0));
    assert.is((await client.send('POST', '/whep/cam')).status, 409, 'one too many');
    await client.watch();
    videoOf(world, 'cam', '42c01f');
    await clock.advance(100);
    await Promise.all(crowd.map(({ over }) => over));
    assert.ok(
      crowd.every(({ waiting }) => waiting.status === 503),
      'the place is taken',
    );
  }),
);

test.run();

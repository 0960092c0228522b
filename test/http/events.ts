import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Failure } from '../../src/index.ts';
import { inTime } from '../support/in-time.ts';

const test = suite('events in time');

test(
  'the number of viewers is told once a second, however many come and go',
  inTime({}, async (world) => {
    const { clock, client, engine } = world;
    const { location } = await client.watch();
    engine.emit({ type: 'session-connected', session: location.split('/').at(-1) ?? '' });
    const subscribed = await client.send('POST', `${location}/events`);
    const events = await client.open('GET', subscribed.headers.get('location') ?? '');
    const chunks: string[] = [];
    const reading = events.body?.pipeTo(
      new WritableStream({ write: (chunk: Uint8Array) => void chunks.push(new TextDecoder().decode(chunk)) }),
    );
    await clock.advance(2_000);
    chunks.length = 0;
    for (let index = 0; index < 6; index++) await client.watch();
    await clock.advance(900);
    assert.equal(chunks, []);
    await clock.advance(200);
    assert.equal(chunks, ['event: viewercount\ndata: {"viewercount":7}\n\n']);
    await clock.advance(11_000);
    assert.equal(chunks.length, 1);
    await clock.advance(3_000);
    assert.equal(chunks.slice(1), [':\n\n'], 'a sign of life, for proxies');
    await client.send('DELETE', location);
    await reading;
  }),
);

test(
  'a client that does not read its events is cut off',
  inTime({}, async ({ engine, client }) => {
    const { location } = await client.watch();
    const subscribed = await client.send('POST', `${location}/events`);
    const events = await client.open('GET', subscribed.headers.get('location') ?? '');
    for (let index = 0; index < 50; index++) {
      for (const active of [false, true]) {
        engine.leg('live', 'video', active);
        engine.leg('live', 'audio', active);
      }
    }
    const text = await events.text();
    const count = text.match(/^event:/gm)?.length ?? 0;
    assert.ok(count > 20 && count <= 33, `${count} events`);
  }),
);

test(
  'closing ends everything once, and says so to who listens',
  inTime({}, async (world) => {
    const { engine, server, client, viewers } = world;
    const { location } = await client.watch();
    const subscribed = await client.send('POST', `${location}/events`);
    const events = await client.open('GET', subscribed.headers.get('location') ?? '');
    const [one, two] = [server.close(), server.close()];
    assert.is((await client.send('POST', '/whep/live')).status, 503);
    assert.is((await client.send('POST', '/whip/live')).status, 503);
    assert.is((await client.send('GET', '/healthz')).status, 503);
    assert.is((await client.send('GET', '/readyz')).status, 503);
    await Promise.all([one, two]);
    assert.equal([viewers(), engine.peers.size, engine.closed], [0, 0, true]);
    assert.match(await events.text(), /event: reconnect\ndata: \{\}\n\n$/);
    assert.is((await client.send('DELETE', location)).status, 204);
    await server.streams.add('late', 'push').then(
      () => assert.unreachable(),
      (error) => assert.is(error instanceof Failure && error.code, 'closing'),
    );
  }),
);

test.run();

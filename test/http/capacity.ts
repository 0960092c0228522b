import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, Failure, type Server, type ServerOptions } from '../../src/index.ts';
import { checkAnswer } from '../support/answer-rules.ts';
import { Clock } from '../support/clock.ts';
import { Client, SDP, WATCH } from '../support/contract/client.ts';
import { eventually } from '../support/eventually.ts';
import { FakeEngine, LIVE } from '../support/fake-engine.ts';
import { offerOf } from '../support/offers.ts';
import { withRestOpen } from '../support/open.ts';

const test = suite('capacity');

/** A short offer: these tests send thousands. */
const OFFER = offerOf('whep-draft-watch');

interface Running {
  engine: FakeEngine;
  server: Server;
  client: Client;
}

async function start(options: ServerOptions): Promise<Running> {
  const engine = new FakeEngine();
  const server = await createServer({ engine, streams: { live: 'clip', other: 'clip' }, ...withRestOpen(options) });
  return { engine, server, client: new Client({ ...server, engine }) };
}

/** POSTs to all of them at once; how often each status came. */
async function storm(server: Server, paths: string[]): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  const post = (path: string) => new Request(`http://x${path}`, { method: 'POST', headers: SDP, body: OFFER });
  for (const response of await Promise.all(paths.map((path) => server.fetch(post(path))))) {
    const { status } = response;
    if (status === 201) assert.equal(checkAnswer(OFFER, await response.text(), LIVE), []);
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

test('1000 POSTs at once against 50 places: exactly 50 get in, and after all have left, 50 again', async () => {
  const { server, engine } = await start({ maxViewers: 50, maxViewersPerStream: 'none' });
  let waiting = 0;
  engine.script.addPeer = async () => {
    waiting++;
    await new Promise((resolve) => setTimeout(resolve, 1));
  };
  for (let round = 0; round < 2; round++) {
    const paths = Array.from({ length: 1000 }, (_, index) => (index % 2 ? '/whep/live' : '/whep/other'));
    assert.equal(await storm(server, paths), { 201: 50, 503: 950 });
    assert.equal([[...server.sessions].length, engine.peers.size], [50, 50]);
    for (const { id } of server.sessions) await server.sessions.remove(id);
    assert.is(engine.peers.size, 0);
  }
  assert.is(waiting, 100, 'the engine was asked for no more peers than there were places');
  await server.close();
});

test('a crowd that never connects makes room for who comes, after a fair wait', async () => {
  const clock = new Clock();
  const { server, engine, client } = await start({ maxViewersPerStream: 'none' });
  try {
    for (let waiting = 0; waiting < 200; waiting++) await client.watch();
    assert.is(engine.peers.size, 200, 'a storm is let in whole');
    const connected = [...server.sessions].slice(0, 50).map(({ id }) => id);
    for (const session of connected) engine.emit({ type: 'session-connected', session });
    await clock.advance(5001);
    for (let coming = 0; coming < 60; coming++) await client.watch();
    await clock.advance(0);
    assert.is(engine.peers.size, 50 + 64, 'the oldest have made room');
    const left = new Set([...server.sessions].map(({ id }) => id));
    assert.ok(
      connected.every((id) => left.has(id)),
      'who is connected stays',
    );
  } finally {
    clock.restore();
    await server.close();
  }
});

test('the cap of a stream holds in a storm and leaves the other streams alone', async () => {
  const { server } = await start({ maxViewersPerStream: 3 });
  assert.equal(await storm(server, Array(40).fill('/whep/live')), { 201: 3, 503: 37 });
  assert.equal(await storm(server, Array(40).fill('/whep/other')), { 201: 3, 503: 37 });
  await server.close();
});

test('the default caps are 8 viewers of a stream and 1000 in all', async () => {
  const { server } = await start({});
  assert.equal(await storm(server, Array(12).fill('/whep/live')), { 201: 8, 503: 4 });
  await server.close();
  const many = await start({ maxViewersPerStream: Number.POSITIVE_INFINITY });
  assert.equal(await storm(many.server, Array(1010).fill('/whep/live')), { 201: 1000, 503: 10 });
  await many.server.close();
});

test('a request that is still sending its body holds no place', async () => {
  const { server } = await start({ maxViewers: 1 });
  let finish = () => {};
  const body = new ReadableStream({
    start: (controller) => {
      controller.enqueue(new TextEncoder().encode(WATCH.slice(0, 100)));
      finish = () => {
        controller.enqueue(new TextEncoder().encode(WATCH.slice(100)));
        controller.close();
      };
    },
  });
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', headers: SDP, body, duplex: 'half' };
  const slow = server.fetch(new Request('http://x/whep/live', init));
  assert.equal(await storm(server, ['/whep/live']), { 201: 1 });
  finish();
  assert.is((await slow).status, 503, 'the place went to the faster one');
  await server.close();
});

test('every kind of failure gives the place back', async () => {
  const { client, engine, server } = await start({ maxViewers: 1 });
  const failures: Script[] = [
    async () => Promise.reject(new Failure('engine-timeout', 'late')),
    async () => Promise.reject(new Error('broken')),
    async () => Promise.reject(new Failure('invalid-offer', 'bad')),
    async ({ id }) => engine.emit({ type: 'session-ended', session: id, reason: 'engine-error' }),
  ];
  for (const addPeer of failures) {
    engine.script.addPeer = addPeer;
    assert.ok((await client.send('POST', '/whep/live', { headers: SDP, body: WATCH })).status >= 400);
    assert.is([...server.sessions].length, 0);
  }
  delete engine.script.addPeer;
  await client.watch();
  await server.close();
});

test('a client that goes away while its session is set up leaves nothing behind', async () => {
  const { engine, server } = await start({ maxViewers: 1 });
  const leaving = new AbortController();
  let made = () => {};
  engine.script.addPeer = () =>
    new Promise((resolve) => {
      made = resolve;
    });
  const init = { method: 'POST', headers: SDP, body: WATCH, signal: leaving.signal };
  const response = server.fetch(new Request('http://x/whep/live', init));
  await eventually('the place is taken', () => [...server.sessions].length === 1);
  leaving.abort();
  await response;
  assert.is([...server.sessions].length, 0, 'the place is free before the engine is done');
  made();
  await eventually('the late peer is gone', () => engine.peers.size === 0);
  delete engine.script.addPeer;
  assert.equal(await storm(server, ['/whep/live']), { 201: 1 });
  await server.close();
});

test('a stream that is removed while a session is set up takes it along', async () => {
  const { engine, server, client } = await start({});
  let made = () => {};
  engine.script.addPeer = () =>
    new Promise((resolve) => {
      made = resolve;
    });
  const reply = client.send('POST', '/whep/live', { headers: SDP, body: WATCH });
  await eventually('the session is set up', () => [...server.sessions].length === 1);
  assert.ok(await server.streams.remove('live'));
  made();
  assert.is((await reply).status, 404);
  assert.is(engine.peers.size, 0, 'the peer that came too late is gone');
  assert.is((await client.send('POST', '/whep/live')).status, 404);
  await server.close();
});

test('a session that is ended while it is set up gives its place back, and its peer goes', async () => {
  const { engine, server } = await start({ maxViewers: 1, adminToken: 'admin-token' });
  let made = () => {};
  engine.script.addPeer = () =>
    new Promise((resolve) => {
      made = resolve;
    });
  const post = new Request('http://x/whep/live', { method: 'POST', headers: SDP, body: OFFER });
  const response = server.fetch(post);
  await eventually('the session is set up', () => [...server.sessions].length === 1);
  const [{ id = '' } = {}] = [...server.sessions];
  const headers = { Authorization: 'Bearer admin-token' };
  const ended = await server.fetch(new Request(`http://x/api/sessions/${id}`, { method: 'DELETE', headers }));
  assert.equal([ended.status, [...server.sessions].length], [204, 0]);
  made();
  assert.equal([(await response).status, engine.peers.size], [500, 0]);
  delete engine.script.addPeer;
  assert.equal(await storm(server, ['/whep/live']), { 201: 1 });
  await server.close();
});

test('of many DELETEs of one session at once each is answered, and one place is given back', async () => {
  const { server, client } = await start({ maxViewers: 2, conformance: 'draft' });
  const { location } = await client.watch();
  await client.watch();
  const replies = await Promise.all(Array.from({ length: 20 }, () => client.send('DELETE', location)));
  const count = (status: number) => replies.filter((reply) => reply.status === status).length;
  assert.equal([count(200), count(404)], [1, 19]);
  assert.equal(await storm(server, Array(5).fill('/whep/live')), { 201: 1, 503: 4 });
  await server.close();
});

test('a server that closes while a session is set up answers 503', async () => {
  const { engine, server, client } = await start({});
  let made = () => {};
  engine.script.addPeer = () =>
    new Promise((resolve) => {
      made = resolve;
    });
  const reply = client.send('POST', '/whep/live', { headers: SDP, body: WATCH });
  await eventually('the session is set up', () => [...server.sessions].length === 1);
  await server.close();
  made();
  assert.equal([(await reply).status, engine.peers.size], [503, 0]);
});

type Script = NonNullable<FakeEngine['script']['addPeer']>;

test.run();

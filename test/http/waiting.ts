import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, type ServerOptions } from '../../src/index.ts';
import { Clock } from '../support/clock.ts';
import { SDP } from '../support/contract/client.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { offerOf } from '../support/offers.ts';

const test = suite('viewers without ICE');

const OFFER = offerOf('whep-draft-watch');

async function start(options: ServerOptions) {
  const clock = new Clock();
  const engine = new FakeEngine();
  const server = await createServer({ engine, streams: { live: 'clip', other: 'clip' }, ...options });
  /** POSTs an offer from an address; the status. */
  async function join(ip: string, path = '/whep/live', facts = {}): Promise<number> {
    const request = new Request(`http://server.test${path}`, { method: 'POST', headers: SDP, body: OFFER });
    const response = await server.fetch(Object.assign(request, { ip, ...facts }));
    await response.text();
    return response.status;
  }
  const joinAll = async (count: number, ip: string | ((index: number) => string), path?: string, facts?: object) => {
    const statuses: number[] = [];
    for (let index = 0; index < count; index++) {
      statuses.push(await join(typeof ip === 'string' ? ip : ip(index), path, facts));
    }
    return statuses;
  };
  const connect = () => {
    for (const { id: session } of server.sessions) engine.emit({ type: 'session-connected', session });
  };
  const close = async () => {
    clock.restore();
    await server.close();
  };
  return { clock, engine, server, join, joinAll, connect, close };
}

const several = (index: number) => `192.0.2.${index}`;
const count = (statuses: number[], status: number) => statuses.filter((each) => each === status).length;

test('a full stream whose viewers do not connect is full for the fair wait alone', async () => {
  const { clock, server, join, joinAll, close } = await start({ maxViewersPerStream: 8 });
  assert.equal(await joinAll(9, several), [201, 201, 201, 201, 201, 201, 201, 201, 503]);
  await clock.advance(5001);
  assert.is(await join('192.0.2.100'), 201);
  assert.is([...server.sessions].length, 8, 'one has made room, no more');
  await close();
});

test('who is connected never makes room', async () => {
  const { clock, joinAll, connect, join, close } = await start({ maxViewersPerStream: 8 });
  await joinAll(8, several);
  connect();
  await clock.advance(60_000);
  assert.is(await join('192.0.2.100'), 503);
  await close();
});

test('who has no answer yet waits for the engine, and is not sent away for it', async () => {
  const { clock, engine, join, close } = await start({ maxViewersPerStream: 'none' });
  const made: (() => void)[] = [];
  engine.script.addPeer = () => new Promise((resolve) => made.push(resolve));
  const slow = Array.from({ length: 70 }, (_, index) => join(several(index)));
  await clock.advance(6000);
  const last = join('192.0.2.100');
  await clock.advance(0);
  for (const make of made) make();
  assert.is(count(await Promise.all([...slow, last]), 201), 71);
  await close();
});

test('one client holds half of a stream at most before it connects, and gets the rest when it has', async () => {
  const { joinAll, join, connect, close } = await start({ maxViewersPerStream: 8 });
  assert.equal(await joinAll(6, '192.0.2.1'), [201, 201, 201, 201, 503, 503]);
  assert.is(await join('192.0.2.2'), 201);
  connect();
  assert.equal(await joinAll(4, '192.0.2.1'), [201, 201, 201, 503]);
  await close();
});

test('one client that never connects is bounded, at once and after the fair wait, and others get in', async () => {
  const { clock, server, joinAll, join, close } = await start({ maxViewersPerStream: 'none', maxViewers: 400 });
  assert.is(count(await joinAll(100, '192.0.2.1'), 201), 50);
  assert.is(await join('192.0.2.2'), 201);
  await clock.advance(5001);
  assert.is(await join('192.0.2.1', '/whep/other'), 201);
  assert.is([...server.sessions].length, 1 + 16, 'its oldest have gone');
  await close();
});

test('clients that nobody tells apart, and those of this machine, have no share of their own', async () => {
  for (const ip of ['', '127.0.0.1', '::1']) {
    const { joinAll, close } = await start({ maxViewersPerStream: 8, open: ['watch'] });
    assert.is(count(await joinAll(9, ip), 201), 8, ip);
    await close();
  }
});

test('whom a trusted proxy does not name, and whom a key does not, has one share', async () => {
  const proxied = await start({ maxViewersPerStream: 8, open: ['watch'] });
  assert.is(count(await proxied.joinAll(9, '127.0.0.1', '/whep/live', { proxied: true }), 201), 4);
  await proxied.close();
  for (const key of ['', 'x'.repeat(257)]) {
    const { joinAll, close } = await start({ maxViewersPerStream: 8, rateLimit: { perSecond: 1, key: () => key } });
    assert.is(count(await joinAll(9, several), 201), 4);
    await close();
  }
});

test('an IPv6 client is its network', async () => {
  const { joinAll, close } = await start({ maxViewersPerStream: 8 });
  assert.is(count(await joinAll(8, (index) => `2001:db8:1:2::${index + 1}`), 201), 4);
  assert.is(count(await joinAll(4, (index) => `2001:db8:1:${index + 3}::1`), 201), 4);
  await close();
});

test('all places held by viewers that do not connect are free again after the fair wait', async () => {
  const { clock, joinAll, join, close } = await start({ maxViewersPerStream: 'none', maxViewers: 100 });
  assert.is(count(await joinAll(101, several), 201), 100);
  await clock.advance(5001);
  assert.is(await join('192.0.2.200'), 201);
  await close();
});

test.run();

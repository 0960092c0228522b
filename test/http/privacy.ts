import { configure, type LogRecord, reset } from '@logtape/logtape';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer } from '../../src/index.ts';
import { Clock } from '../support/clock.ts';
import { Client, FRAGMENT, PUBLISH, SDP, WATCH } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { eventually } from '../support/eventually.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('logs and errors');

const SECRETS = {
  token: 'token-of-viewers',
  adminToken: 'token-of-admins',
  turn: { urls: 'turn:turn.test', secret: 'secret-of-turn' },
};
const records: LogRecord[] = [];

test.before(() =>
  configure({
    sinks: { memory: (record) => void records.push(record) },
    loggers: [
      { category: 'fetch-whep', sinks: ['memory'], lowestLevel: 'trace' },
      { category: ['logtape', 'meta'], sinks: [] },
    ],
  }),
);
test.after(reset);
test.before.each(() => {
  records.length = 0;
});

test('tokens, credentials and session ids are in no log at any level', async () => {
  const engine = new FakeEngine();
  const server = await createServer({
    engine,
    streams: { live: 'clip' },
    maxViewers: 1,
    open: ['observe'],
    ...SECRETS,
  });
  const client = new Client({ ...server, engine });
  const bearer = { Authorization: `Bearer ${SECRETS.token}` };
  const { location } = await client.watch('/whep/live', { headers: bearer });
  await client.send('PATCH', location, { headers: { ...FRAGMENT, ...bearer }, body: fragment() });
  await client.send('POST', '/whep/live', { headers: { ...SDP, Authorization: 'Bearer guessed-by-someone' } });
  await client.send('POST', '/whep/live', { headers: bearer });
  await client.send('GET', '/api/streams', { headers: { Authorization: `Bearer ${SECRETS.adminToken}` } });
  const events = await client.send('POST', `${location}/events`);
  await client.send('GET', `${location}/events/${'x'.repeat(22)}`);
  await client.send('DELETE', location, { headers: bearer });
  await server.close();
  assert.ok(records.length >= 10, 'something is logged');
  const text = records.map((record) => JSON.stringify([record.message, record.properties])).join('\n');
  const ids = [location, events.headers.get('location') ?? ''].map((path) => path.split('/').at(-1) ?? '');
  for (const secret of [SECRETS.token, SECRETS.adminToken, SECRETS.turn.secret, 'guessed-by-someone', ...ids]) {
    assert.not(text.includes(secret), secret);
  }
});

test('a refusal by a cap is logged with the name of the option', async () => {
  const engine = new FakeEngine();
  const server = await createServer({ engine, streams: { live: 'clip' }, maxViewersPerStream: 1 });
  const client = new Client({ ...server, engine });
  await client.watch();
  await client.send('POST', '/whep/live');
  await server.close();
  assert.ok(
    records.some(({ level, properties }) => level === 'warning' && properties.option === 'maxViewersPerStream'),
    'there is a warning',
  );
});

test('a storm of refusals is one line a second, which tells of the others', async () => {
  const clock = new Clock();
  try {
    const engine = new FakeEngine();
    const server = await createServer({ engine, streams: { live: 'clip' }, maxViewersPerStream: 1 });
    const client = new Client({ ...server, engine });
    await client.watch();
    records.length = 0;
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 30; index++) await client.send('POST', '/whep/live');
      await clock.advance(1001);
    }
    const told = records.filter(({ level }) => level === 'warning').map(({ properties }) => properties.unsaid);
    assert.equal(told, [0, 29]);
    assert.is(await client.metric('whep_cap_rejections_total{stream="live",scope="stream"}'), 60);
    await server.close();
  } finally {
    clock.restore();
  }
});

test('an unexpected exception is logged with its stack, under the id that the response carries', async () => {
  const engine = new FakeEngine();
  const server = await createServer({ engine, streams: { live: 'clip' } });
  engine.facts = () => {
    throw new Error('what went wrong');
  };
  const response = await server.fetch(new Request('http://x/whep/live', { method: 'POST' }));
  const record = records.find(({ level }) => level === 'error');
  assert.is(record?.properties.id, response.headers.get('x-request-id'));
  const { error } = record?.properties ?? {};
  assert.ok(error instanceof Error && error.stack?.includes('what went wrong'));
  await server.close();
});

test('why the engine made no session is in the log, under the id that the response carries, and not in the response', async () => {
  const engine = new FakeEngine({ addPeer: () => Promise.reject(new Error('no port is left on eth7')) });
  const server = await createServer({ engine, streams: { live: 'clip' } });
  const post = new Request('http://x/whep/live', { method: 'POST', headers: SDP, body: WATCH });
  const response = await server.fetch(post);
  assert.is(response.status, 500);
  assert.not.match(await response.text(), 'eth7');
  const record = records.find(({ level }) => level === 'error');
  assert.is(record?.properties.id, response.headers.get('x-request-id'));
  const { error } = record?.properties ?? {};
  assert.ok(error instanceof Error && error.message.includes('eth7'));
  await server.close();
});

test('a session is logged when it begins and when it ends, with the reason and what it carried', async () => {
  const engine = new FakeEngine();
  const server = await createServer({ engine, streams: { live: 'clip', studio: 'whip' } });
  const client = new Client({ ...server, engine });
  const told = () => records.filter(({ category }) => category[1] === 'session');
  const { location } = await client.watch();
  engine.emit({ type: 'session-ended', session: location.split('/').at(-1) ?? '', reason: 'consent-lost' });
  await eventually('the end of the viewer', () => told().length === 2);
  const publisher = await client.send('POST', '/whip/studio', { headers: SDP, body: PUBLISH });
  await client.send('DELETE', publisher.headers.get('location') ?? '');
  assert.equal(
    told().map(({ message }) =>
      message
        .join('')
        .replace(/ [\w-]{8} /, ' ID ')
        .replace(/\d+(\.\d+)? s/, 'N s'),
    ),
    [
      'viewer ID joined live',
      'viewer ID left live: consent-lost after N s, 400000 bytes, 1.25 % lost',
      'publisher ID joined studio',
      'publisher ID left studio: left after N s, 300000 bytes, loss not reported',
    ],
  );
  const { kind, reason, seconds, bytes, lossRatio } = told()[1]?.properties ?? {};
  assert.equal([kind, reason, typeof seconds, bytes, lossRatio], ['viewer', 'consent-lost', 'number', 400_000, 0.0125]);
  await server.close();
});

test('what the engine has to say is logged as text, not as a template', async () => {
  const engine = new FakeEngine();
  const server = await createServer({ engine });
  engine.emit({ type: 'log', level: 'warning', text: 'odd {thing}' });
  const record = records.find(({ category }) => category[1] === 'engine');
  assert.equal([record?.level, record?.message.join('')], ['warning', 'odd {thing}']);
  await server.close();
});

/** A request as no library makes it. */
class OddRequest extends Request {
  readonly #odd: { url?: string; method?: string };

  constructor(odd: { url?: string; method?: string }) {
    super('http://x/whep/live');
    this.#odd = odd;
  }

  override get url(): string {
    return this.#odd.url ?? super.url;
  }

  override get method(): string {
    return this.#odd.method ?? super.method;
  }
}

test('a URL that is none is 400, a method named like a property of objects 405', async () => {
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' } });
  for (const url of ['http://', 'http://a b/', '/whep/live', 'http://x:99999999/whep/live']) {
    assert.is((await server.fetch(new OddRequest({ url }))).status, 400, url);
  }
  for (const method of ['constructor', '__proto__', 'toString']) {
    assert.is((await server.fetch(new OddRequest({ method }))).status, 405, method);
  }
  await server.close();
});

test.run();

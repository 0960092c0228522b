import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer } from '../../src/index.ts';
import { Client, FRAGMENT, SDP } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { patchMutated, postMutatedOffers, REFUSALS } from '../support/mutated-requests.ts';
import { rounds } from '../support/rounds.ts';

const test = suite('mutated requests');

async function start() {
  const engine = new FakeEngine();
  const server = await createServer({ engine, streams: { live: 'clip', pub: 'whip' }, processMetrics: false });
  return { engine, server, client: new Client({ ...server, engine }) };
}

for (const role of ['watch', 'publish'] as const) {
  test(`an offer to ${role}, however mutated, gets an answer that keeps the rules, or 4xx`, async () => {
    const { engine, server, client } = await start();
    await postMutatedOffers(client, role, rounds(200));
    assert.is(engine.peers.size, 0);
    await server.close();
  });
}

test('a fragment, however mutated, is 204 or 4xx, and the session lives on', async () => {
  const { server, client } = await start();
  const { location } = await client.watch();
  const texts = [
    fragment('candidate:1 1 UDP 2122252543 192.0.2.7 54321 typ host'),
    fragment('candidate:1 1 UDP 2122252543 2001:db8::7 54321 typ host', 'end-of-candidates'),
  ];
  await patchMutated(client, location, texts, rounds(300));
  assert.is((await client.send('PATCH', location, { headers: FRAGMENT, body: fragment() })).status, 204);
  await server.close();
});

test('any bytes as an offer or fragment are 4xx', async () => {
  const { server, client } = await start();
  const { location } = await client.watch();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), async (bytes, begun) => {
      const body = new Blob([...(begun ? ['v=0\r\n'] : []), bytes]);
      const offer = await client.send('POST', '/whep/live', { headers: SDP, body });
      assert.ok(REFUSALS.includes(offer.status), `${offer.status} ${offer.text}`);
      const { status } = await client.send('PATCH', location, { headers: FRAGMENT, body });
      assert.ok(status === 204 || REFUSALS.includes(status), String(status));
    }),
    { numRuns: rounds(300) },
  );
  await server.close();
});

test('any path and method is answered, and never by 5xx', async () => {
  const { server, client } = await start();
  const part = fc.oneof(
    fc.constantFrom(
      'whep',
      'whip',
      'live',
      'pub',
      'api',
      'play',
      'webrtc',
      'stats',
      'events',
      '',
      '%2e',
      '%2f',
      '%zz',
      '..',
      '~',
    ),
    fc.string({ unit: 'binary', maxLength: 12 }).map(encodeURI.bind(undefined)),
    fc.webSegment(),
  );
  const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS');
  await fc.assert(
    fc.asyncProperty(method, fc.array(part, { maxLength: 6 }), fc.webQueryParameters(), async (verb, parts, query) => {
      const path = `/${parts.join('/')}?${query}`;
      const { status } = await server.fetch(client.request(verb, path));
      assert.ok(status < 500 && status >= 200, `${verb} ${path}: ${status}`);
    }),
    { numRuns: rounds(800) },
  );
  await server.close();
});

test('headers of any content are taken or refused, never by 5xx', async () => {
  const { server, client } = await start();
  const value = fc.oneof(
    fc.constantFrom(
      '*',
      '"x"',
      'bearer',
      'Bearer ',
      'q=',
      ';;;',
      ',,,',
      '*/*;q=nan',
      'application/problem+json;q=1e9',
      'gzip',
    ),
    fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 60 }),
  );
  const names = [
    'accept',
    'authorization',
    'content-type',
    'content-encoding',
    'if-match',
    'origin',
    'x-forwarded-prefix',
  ];
  const headers = fc.dictionary(fc.constantFrom(...names), value);
  await fc.assert(
    fc.asyncProperty(headers, fc.constantFrom('POST', 'PATCH', 'DELETE', 'OPTIONS', 'GET'), async (given, method) => {
      for (const path of ['/whep/live', '/whep/live/unknown', '/metrics', '/nothing']) {
        const { status } = await server.fetch(client.request(method, path, { headers: given }));
        assert.ok(status < 500, `${method} ${path} ${JSON.stringify(given)}: ${status}`);
      }
    }),
    { numRuns: rounds(200) },
  );
  await server.close();
});

test.run();

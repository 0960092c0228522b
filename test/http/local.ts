import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, type ServerOptions } from '../../src/index.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('open to this machine');

/** What a page of `origin` is told it may read of a request to `url`; `ip` is what a listener says of the client. */
async function ask(options: ServerOptions, url: string, origin?: string, ip?: string, proxied = false) {
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' }, ...options });
  const headers = { ...(origin && { Origin: origin }), 'Access-Control-Request-Method': 'POST' };
  const request = new Request(url, { method: 'OPTIONS', headers });
  const facts = { ...(ip && { ip }), ...(proxied && { proxied }) };
  const { status, headers: answered } = await server.fetch(Object.assign(request, facts));
  await server.close();
  return { status, allowed: answered.get('access-control-allow-origin'), vary: answered.get('vary') };
}

test('reached by a loopback name with nothing decided, it is for pages of this machine', async () => {
  for (const host of ['localhost:8080', '127.0.0.1:8080', '[::1]:8080', 'app.localhost']) {
    for (const [origin, allowed] of [
      [undefined, '*'],
      ['http://localhost:5173', '*'],
      ['http://127.0.0.1', '*'],
      ['https://[::1]:3000', '*'],
      ['http://dev.localhost:3000', '*'],
      ['https://page.example', null],
      ['https://localhost.page.example', null],
      ['http://127.0.0.1.page.example', null],
      ['null', null],
      ['no origin', null],
    ] as const) {
      const answer = await ask({}, `http://${host}/whep/live`, origin);
      assert.equal(answer, { status: 204, allowed, vary: 'Origin' }, `${host} ${origin}`);
    }
  }
});

test('under another name, or once something is decided, pages of everywhere may ask', async () => {
  const everywhere = { status: 204, allowed: '*', vary: null };
  const origin = 'https://page.example';
  assert.equal(await ask({}, 'https://live.example/whep/live', origin), everywhere);
  for (const options of [{ token: 'x' }, { open: ['watch'] }, { authorize: () => true }] satisfies ServerOptions[]) {
    assert.equal(await ask(options, 'http://localhost/whep/live', origin), everywhere, JSON.stringify(options));
  }
  const listed = { allowedOrigins: [origin] };
  assert.equal(await ask(listed, 'http://localhost/whep/live', origin), {
    status: 204,
    allowed: origin,
    vary: 'Origin',
  });
});

test('a name that was made to resolve to this machine is refused', async () => {
  const rebound = 'http://page.example:8080/whep/live';
  for (const ip of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    assert.is((await ask({}, rebound, undefined, ip)).status, 421, ip);
    assert.is((await ask({}, 'http://localhost:8080/whep/live', undefined, ip)).status, 204, ip);
    for (const options of [{ token: 'x' }, { open: ['watch'] }, { allowedOrigins: [] }] satisfies ServerOptions[]) {
      assert.is((await ask(options, rebound, undefined, ip)).status, 204, JSON.stringify(options));
    }
  }
  assert.is((await ask({}, rebound, undefined, '192.0.2.1')).status, 204, 'a client of elsewhere');
  assert.is(
    (await ask({}, rebound, undefined, '127.0.0.1', true)).status,
    204,
    'a name that a trusted proxy passes on',
  );
});

test.run();

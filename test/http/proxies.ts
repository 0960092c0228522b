import { Hono } from 'hono';
import { Router } from 'itty-router';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, type ServerOptions } from '../../src/index.ts';
import { TrustedProxies } from '../../src/proxies.ts';
import { type App, type ServeOptions, serve } from '../../src/serve.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('trusted proxies');

const FOR = 'X-Forwarded-For';
const PROTO = 'X-Forwarded-Proto';
const LOOPBACK = '127.0.0.1';
/** An IPv4 and an IPv6 network, a single address, and the listener's own peer. */
const NETWORKS = ['10.0.0.0/8', '2001:db8:1::/48', '192.0.2.10', LOOPBACK];

/** What a request from a trusted proxy on 127.0.0.1 carries, and the client and scheme that come of it. */
const CASES: { name: string; headers: Record<string, string>; ip: string; scheme?: 'https' }[] = [
  { name: 'nothing is said', headers: {}, ip: LOOPBACK },
  { name: 'one client', headers: { [FOR]: '198.51.100.7' }, ip: '198.51.100.7' },
  { name: 'a client of IPv6', headers: { [FOR]: '2001:db8:2::7' }, ip: '2001:db8:2::7' },
  { name: 'with a port', headers: { [FOR]: '198.51.100.7:4711' }, ip: '198.51.100.7' },
  { name: 'IPv6 in brackets', headers: { [FOR]: '[2001:db8:2::7]' }, ip: '2001:db8:2::7' },
  { name: 'IPv6 in brackets with a port', headers: { [FOR]: '[2001:db8:2::7]:4711' }, ip: '2001:db8:2::7' },
  { name: 'a client that wrote an entry itself', headers: { [FOR]: '203.0.113.1, 198.51.100.7' }, ip: '198.51.100.7' },
  {
    name: 'a client that wrote the address of a proxy',
    headers: { [FOR]: '10.1.1.1, 198.51.100.7' },
    ip: '198.51.100.7',
  },
  {
    name: 'a chain of three proxies',
    headers: { [FOR]: '203.0.113.1, 198.51.100.7, 2001:db8:1::5, 10.200.3.4' },
    ip: '198.51.100.7',
  },
  { name: 'without blanks', headers: { [FOR]: '203.0.113.1,198.51.100.7,10.200.3.4' }, ip: '198.51.100.7' },
  { name: 'none but proxies', headers: { [FOR]: '192.0.2.10, 10.1.1.1' }, ip: '192.0.2.10' },
  { name: 'a word that is no address, nearest', headers: { [FOR]: '198.51.100.7, unknown' }, ip: LOOPBACK },
  {
    name: 'a word that is no address, behind a proxy',
    headers: { [FOR]: '198.51.100.7, x, 10.1.1.1' },
    ip: '10.1.1.1',
  },
  { name: 'an empty entry', headers: { [FOR]: '198.51.100.7,' }, ip: LOOPBACK },
  { name: 'an empty header', headers: { [FOR]: '' }, ip: LOOPBACK },
  { name: 'a name', headers: { [FOR]: 'client.example' }, ip: LOOPBACK },
  { name: 'an address with a zone', headers: { [FOR]: 'fe80::1%eth0' }, ip: 'fe80::1%eth0' },

  { name: 'https', headers: { [FOR]: '198.51.100.7', [PROTO]: 'https' }, ip: '198.51.100.7', scheme: 'https' },
  { name: 'http', headers: { [FOR]: '198.51.100.7', [PROTO]: 'http' }, ip: '198.51.100.7' },
  { name: 'a scheme that is none', headers: { [FOR]: '198.51.100.7', [PROTO]: 'javascript' }, ip: '198.51.100.7' },
  {
    name: 'one scheme for all hops',
    headers: { [FOR]: '203.0.113.1, 198.51.100.7, 10.1.1.1', [PROTO]: 'HTTPS' },
    ip: '198.51.100.7',
    scheme: 'https',
  },
  {
    name: 'a scheme for each hop: that of the client counts',
    headers: { [FOR]: '203.0.113.1, 198.51.100.7, 10.1.1.1', [PROTO]: 'http, https, http' },
    ip: '198.51.100.7',
    scheme: 'https',
  },
  {
    name: 'the scheme of who wrote an entry itself',
    headers: { [FOR]: '203.0.113.1, 198.51.100.7, 10.1.1.1', [PROTO]: 'https, http, https' },
    ip: '198.51.100.7',
  },
  {
    name: 'fewer schemes than hops: they belong to the last ones',
    headers: { [FOR]: '203.0.113.1, 198.51.100.7, 10.1.1.1', [PROTO]: 'https, http' },
    ip: '198.51.100.7',
    scheme: 'https',
  },
  {
    name: 'more schemes than hops',
    headers: { [FOR]: '198.51.100.7, 10.1.1.1', [PROTO]: 'http, http, https, http' },
    ip: '198.51.100.7',
    scheme: 'https',
  },

  { name: 'Forwarded', headers: { Forwarded: 'for=198.51.100.7' }, ip: '198.51.100.7' },
  {
    name: 'Forwarded with all parameters',
    headers: { Forwarded: 'By=10.1.1.1;FOR=198.51.100.7;host=live.example;Proto=HTTPS' },
    ip: '198.51.100.7',
    scheme: 'https',
  },
  { name: 'Forwarded, quoted', headers: { Forwarded: 'for="198.51.100.7:4711"' }, ip: '198.51.100.7' },
  {
    name: 'Forwarded, IPv6',
    headers: { Forwarded: 'for="[2001:db8:2::7]:4711";proto="https"' },
    ip: '2001:db8:2::7',
    scheme: 'https',
  },
  { name: 'Forwarded, with escapes', headers: { Forwarded: 'for="198\\.51.100.7"' }, ip: '198.51.100.7' },
  {
    name: 'Forwarded of a chain',
    headers: { Forwarded: 'for=203.0.113.1, for=198.51.100.7;proto=https, for="[2001:db8:1::5]", for=10.1.1.1' },
    ip: '198.51.100.7',
    scheme: 'https',
  },
  {
    name: 'Forwarded, a comma and a semicolon within quotes',
    headers: { Forwarded: 'for=203.0.113.1, for=198.51.100.7;host="a,for=203.0.113.2;proto=https"' },
    ip: '198.51.100.7',
  },
  { name: 'Forwarded, unknown', headers: { Forwarded: 'for=198.51.100.7, for=unknown' }, ip: LOOPBACK },
  { name: 'Forwarded, obfuscated', headers: { Forwarded: 'for="_gazonk", for=10.1.1.1' }, ip: '10.1.1.1' },
  { name: 'Forwarded, a hop that names nobody', headers: { Forwarded: 'for=198.51.100.7, by=10.1.1.1' }, ip: LOOPBACK },
  {
    name: 'Forwarded, a quote that the client leaves to the proxy to end',
    headers: { Forwarded: 'for=203.0.113.1;x=", proto=http;for="[2001:db8:2::7]"' },
    ip: LOOPBACK,
  },
  { name: 'Forwarded, a quote that does not end', headers: { Forwarded: 'for="198.51.100.7' }, ip: LOOPBACK },

  {
    name: 'both, and they agree',
    headers: { [FOR]: '198.51.100.7', Forwarded: 'for=198.51.100.7;proto=https' },
    ip: '198.51.100.7',
  },
  {
    name: 'both, and they agree on the client, not on what it wrote itself',
    headers: { [FOR]: '203.0.113.1, 198.51.100.7', Forwarded: 'for=203.0.113.2, for=198.51.100.7' },
    ip: '198.51.100.7',
  },
  {
    name: 'both, and they disagree',
    headers: { [FOR]: '198.51.100.7', [PROTO]: 'https', Forwarded: 'for=203.0.113.1' },
    ip: LOOPBACK,
  },
  {
    name: 'both, and one names nobody',
    headers: { [FOR]: '198.51.100.7', Forwarded: 'for=unknown' },
    ip: LOOPBACK,
  },
];

interface Seen {
  ip: string | undefined;
  url: string;
  proxied: boolean;
}

/** What an app behind `serve` gets to see of a request. */
const mirror: App = {
  fetch: (request) => {
    const ip = 'ip' in request ? request.ip : undefined;
    return Response.json({ ip, url: request.url, proxied: 'proxied' in request });
  },
};

async function listening(app: App, options: ServeOptions, use: (url: string) => Promise<void>): Promise<void> {
  const listener = await serve(app, { port: 0, ...options });
  try {
    await use(listener.url);
  } finally {
    await listener.close();
  }
}

async function seen(url: string, headers: Record<string, string>): Promise<Seen> {
  return (await (await fetch(`${url}/a?b=c`, { headers })).json()) as Seen;
}

test('a listener gives the client and its scheme, by what trusted proxies say', () =>
  listening(mirror, { trustedProxies: NETWORKS }, async (url) => {
    for (const { name, headers, ip, scheme = 'http' } of CASES) {
      const expected = { ip, url: `${url}/a?b=c`.replace(/^http/, scheme), proxied: true };
      assert.equal(await seen(url, headers), expected, name);
    }
  }));

test('whoever is not named is not believed, whatever it says', async () => {
  const headers = { [FOR]: '198.51.100.7', [PROTO]: 'https', Forwarded: 'for=198.51.100.7;proto=https' };
  for (const trustedProxies of [undefined, [], ['10.0.0.0/8', '::1', '127.0.0.2']]) {
    await listening(mirror, { trustedProxies }, async (url) => {
      assert.equal(await seen(url, headers), { ip: LOOPBACK, url: `${url}/a?b=c`, proxied: false });
    });
  }
});

/** Whether a request from `peer` is believed. */
function believes(networks: readonly string[], peer: string | undefined): boolean {
  const request = new Request('http://server.test/', { headers: { [FOR]: '198.51.100.7' } });
  const resolved = new TrustedProxies(networks).resolve(Object.assign(request, { ip: peer }));
  assert.is('proxied' in resolved, 'ip' in resolved && resolved.ip === '198.51.100.7');
  return 'proxied' in resolved;
}

test('a network holds its first and last address, and not their neighbours', () => {
  for (const [network, inside, outside] of [
    ['10.0.0.0/8', ['10.0.0.0', '10.255.255.255'], ['9.255.255.255', '11.0.0.0']],
    ['192.0.2.64/26', ['192.0.2.64', '192.0.2.127'], ['192.0.2.63', '192.0.2.128']],
    ['192.0.2.77/26', ['192.0.2.64', '192.0.2.127'], ['192.0.2.63', '192.0.2.128']],
    ['192.0.2.7/31', ['192.0.2.6', '192.0.2.7'], ['192.0.2.5', '192.0.2.8']],
    ['192.0.2.7/32', ['192.0.2.7'], ['192.0.2.6', '192.0.2.8']],
    ['192.0.2.7', ['192.0.2.7'], ['192.0.2.6', '192.0.2.8', '2001:db8::']],
    ['0.0.0.0/0', ['0.0.0.0', '255.255.255.255'], ['2001:db8::1']],
    ['2001:db8::/32', ['2001:db8::', '2001:db8:ffff::ffff'], ['2001:db7:ffff::', '2001:db9::', '192.0.2.7']],
    ['2001:db8::8/125', ['2001:db8::8', '2001:db8::f'], ['2001:db8::7', '2001:db8::10']],
    ['2001:db8::1', ['2001:db8::1', '2001:DB8:0::0:1'], ['2001:db8::2']],
    ['::/0', ['::1', '2001:db8::1'], []],
  ] as const) {
    for (const peer of inside) assert.ok(believes([network], peer), `${peer} in ${network}`);
    for (const peer of outside) assert.not(believes([network], peer), `${peer} in ${network}`);
  }
});

test('sockets for both families name IPv4 peers in IPv6: they are the same peers', () => {
  for (const peer of ['::ffff:10.1.2.3', '::ffff:a01:203', '::FFFF:10.1.2.3']) {
    assert.ok(believes(['10.0.0.0/8'], peer), peer);
    assert.ok(believes(['::ffff:10.0.0.0/104'], peer), peer);
    assert.not(believes(['11.0.0.0/8'], peer), peer);
  }
  assert.ok(believes(['::ffff:10.0.0.0/104'], '10.1.2.3'));
});

test('a host that does not tell the peer is not believed', () => {
  for (const peer of [undefined, '', 'unknown', 'proxy.example']) {
    assert.not(believes(['0.0.0.0/0', '::/0'], peer), String(peer));
  }
});

test('what is neither an address nor a network is an option that is refused', async () => {
  for (const network of [
    ...['', ' ', 'localhost', 'proxy.example', '10.0.0', '10.0.0.256', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1'],
    ...['10.0.0.0/8/8', '10.0.0.0/8 ', '10.0.0.0/0x8', '10.0.0.0/8.0', '10.0.0.0/255.0.0.0', '/8', '2001:db8::/129'],
    ...['[::1]', '127.0.0.1:80', 'fe80::1%eth0', 'fe80::%eth0/64', '10.0.0.0-10.0.0.9', '*'],
  ]) {
    const code = await serve(mirror, { port: 0, trustedProxies: [LOOPBACK, network] }).then(
      async (listener) => {
        await listener.close();
        return 'it listens';
      },
      (error: unknown) => (error instanceof Error && 'code' in error ? error.code : String(error)),
    );
    assert.is(code, 'invalid-options', `"${network}"`);
  }
});

/** How many of six requests are answered, in the order of `headers`, with two for each client. */
async function answered(
  options: ServeOptions,
  headers: readonly Record<string, string>[],
  around: (server: App) => App = (server) => server,
): Promise<number[]> {
  const rateLimit: ServerOptions['rateLimit'] = { perSecond: 0.001, burst: 2 };
  const server = await createServer({ engine: new FakeEngine(), rateLimit });
  const counts: number[] = [];
  await listening(around(server), options, async (url) => {
    for (const each of headers) {
      const statuses: number[] = [];
      for (let count = 0; count < 6; count++) {
        const response = await fetch(`${url}/webrtc/stats`, { headers: each });
        await response.body?.cancel();
        statuses.push(response.status);
      }
      counts.push(statuses.filter((status) => status === 200).length);
      assert.ok(
        statuses.every((status) => status === 200 || status === 429),
        statuses.join(),
      );
    }
  });
  await server.close();
  return counts;
}

test('the rate limit tells clients of a trusted proxy apart, and those of another one not', async () => {
  const clients = ['198.51.100.7', '198.51.100.8', '203.0.113.1, 198.51.100.7', '2001:db8:2::7', '2001:db8:2::8'];
  const headers = clients.map((client) => ({ [FOR]: client }));
  // The third is the first with an entry of its own; of IPv6, a host has 64 bits to itself.
  assert.equal(await answered({ trustedProxies: [LOOPBACK] }, headers), [2, 2, 0, 2, 0]);
  assert.equal(await answered({}, headers), [2, 0, 0, 0, 0]);
});

test('so it does within an app that hands requests on as they came', async () => {
  const headers = ['198.51.100.7', '198.51.100.8'].map((client) => ({ [FOR]: client }));
  const hono = ({ fetch }: App) => new Hono().all('*', ({ req }) => fetch(req.raw));
  const itty = ({ fetch }: App) => Router().all('*', fetch);
  for (const around of [hono, itty]) {
    assert.equal(await answered({ trustedProxies: [LOOPBACK] }, headers, around), [2, 2]);
  }
});

test.run();

import { readFileSync } from 'node:fs';
import { request as requestByTls } from 'node:https';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ServerOptions } from '../../src/index.ts';
import type { ServeOptions } from '../../src/serve.ts';
import { Child } from '../support/child.ts';
import { FRAGMENT, SDP, WATCH } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { eventually } from '../support/eventually.ts';
import { Front } from '../support/front.ts';
import { exchange } from '../support/raw-exchange.ts';
import { RUNTIMES, type Runtime } from '../support/runtimes.ts';
import { listening, type RunningServer } from '../support/server.ts';

const test = suite('behind nginx and HAProxy');

const LOOPBACK = { trustedProxies: ['127.0.0.1'] };
/** Milliseconds. */
const DEADLINE = 10_000;

/** What `authorize` saw of a request. */
interface Asked {
  method: string;
  action: string;
  url: string;
  ip: string;
}

type Fronting = (upstream: string) => Promise<Front>;

/** Gives `use` a server on `runtime` and a proxy in front of it. */
async function behind(
  runtime: Runtime,
  options: Omit<ServerOptions, 'authorize'> & ServeOptions,
  front: Fronting,
  use: (front: Front, server: RunningServer) => Promise<void>,
): Promise<void> {
  const child = new Child(runtime, 'test/support/programs/proxied.mjs', [JSON.stringify(options)]);
  try {
    const server = await listening(child);
    const proxy = await front(server.url);
    try {
      await use(proxy, server);
    } finally {
      await proxy.close();
    }
  } finally {
    child.kill('SIGKILL');
    await child.ended;
  }
}

function askedOf({ child }: RunningServer): Asked[] {
  return child.stdout
    .split('\n')
    .filter((line) => line.includes('"action"'))
    .map((line) => JSON.parse(line) as Asked);
}

/** The nginx of the guide, with some of its text exchanged. */
function nginx(...changes: (readonly [text: string, other: string])[]): Fronting {
  return (upstream) =>
    Front.nginx(
      [...changes, ['http://127.0.0.1:8080', upstream] as const].reduce(
        (config, [text, other]) => {
          assert.ok(config.includes(text), text);
          return config.replace(text, other);
        },
        readFileSync('examples/nginx.conf', 'utf8'),
      ),
    );
}

const haproxy =
  (rules: string): Fronting =>
  (upstream) =>
    Front.haproxy(upstream, rules);

/** Clients by their addresses, and what each writes into its nth request. */
const CLIENTS: { from: string; forged: (count: number) => string[] }[] = [
  { from: '127.0.0.2', forged: () => [] },
  { from: '127.0.0.3', forged: () => [] },
  { from: '127.0.0.4', forged: (count) => [`X-Forwarded-For: 203.0.113.${count}`] },
  { from: '127.0.0.5', forged: (count) => [`Forwarded: for=203.0.113.${count}`] },
  {
    from: '127.0.0.6',
    forged: (count) => [`X-Forwarded-For: 203.0.113.${count}`, `Forwarded: for=203.0.113.${count}`],
  },
];

/** With two for each client, how many requests of each are answered. */
const LIMIT = { rateLimit: { perSecond: 0.001, burst: 2 } };

async function answered(port: number, path: string): Promise<number[]> {
  const counts: number[] = [];
  for (const { from, forged } of CLIENTS) {
    let count = 0;
    for (let index = 1; index <= 4; index++) {
      const { status } = await exchange(port, [`GET ${path} HTTP/1.1`, 'Host: x', ...forged(index)], '', from);
      assert.ok([200, 429].includes(status), `${from}: ${status}`);
      if (status === 200) count++;
    }
    counts.push(count);
  }
  return counts;
}

/** Fronts by what they tell, and how many requests of each client come through. */
const TELLING: { name: string; front: Fronting; prefix: string; expected: number[] }[] = [
  { name: 'nginx as in the guide', front: nginx(), prefix: '/live', expected: [2, 2, 2, 2, 2] },
  {
    // Whoever sends one counts as the proxy, and so with all others who do.
    name: 'nginx that passes on a Forwarded of the client',
    front: nginx(['proxy_set_header Forwarded "";', '']),
    prefix: '/live',
    expected: [2, 2, 2, 2, 0],
  },
  { name: 'HAProxy with forwardfor', front: haproxy('option forwardfor'), prefix: '', expected: [2, 2, 2, 2, 0] },
  {
    // What `option forwarded` does, which only HAProxy 2.8 and newer have.
    name: 'HAProxy with RFC 7239',
    front: haproxy('http-request add-header Forwarded "for=%[src];proto=http"'),
    prefix: '',
    expected: [2, 2, 2, 2, 0],
  },
];

for (const runtime of RUNTIMES) {
  for (const { name, front, prefix, expected } of TELLING) {
    test(`on ${runtime} behind ${name}, the rate limit tells clients apart, and none gains by forging`, () =>
      behind(runtime, { basePath: prefix || '/', ...LIMIT, ...LOOPBACK }, front, async ({ port }) => {
        assert.equal(await answered(port, `${prefix}/webrtc/stats`), expected);
      }));
  }

  test(`on ${runtime} behind a proxy that it does not trust, all clients are one`, () =>
    behind(runtime, { basePath: '/live', ...LIMIT }, nginx(), async ({ port }) => {
      assert.equal(await answered(port, '/live/webrtc/stats'), [2, 0, 0, 0, 0]);
    }));

  test(`on ${runtime} behind nginx, authorize sees the URL and the address of the client`, () =>
    behind(runtime, { basePath: '/live', ...LOOPBACK }, nginx(), async ({ port, tlsPort }, server) => {
      const path = '/live/webrtc/stats?a=b';
      const plain = await exchange(port, [`GET ${path} HTTP/1.1`, 'Host: live.example'], '', '127.0.0.2');
      assert.equal([plain.status, await overTls(tlsPort, path, '127.0.0.3')], [200, 200]);
      await eventually('both are seen', () => askedOf(server).length === 2);
      const about = { method: 'GET', action: 'observe' };
      assert.equal(askedOf(server), [
        { ...about, url: `http://live.example${path}`, ip: '127.0.0.2' },
        { ...about, url: `https://live.example${path}`, ip: '127.0.0.3' },
      ]);
    }));
}

function overTls(port: number, path: string, localAddress: string): Promise<number | undefined> {
  const ca = readFileSync('test/support/tls/cert.pem');
  const headers = { Host: 'live.example' };
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', servername: 'localhost', port, path, localAddress, ca, headers };
    requestByTls(options, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    })
      .on('error', reject)
      .end();
  });
}

/** Ways to mount a server below a path of a proxy, and the public path that comes of it. */
const MOUNTS: { name: string; front: Fronting; options: ServerOptions; prefix: string }[] = [
  { name: 'nginx that leaves the prefix', front: nginx(), options: { basePath: '/live' }, prefix: '/live' },
  {
    name: 'nginx that strips the prefix',
    front: nginx(['8080;', '8080/;']),
    options: { basePath: '/live', basePathStripped: true },
    prefix: '/live',
  },
  {
    name: 'nginx that strips the prefix and tells it',
    front: nginx(['location /live/', 'location /tv/'], ['8080;', '8080/; proxy_set_header X-Forwarded-Prefix /tv;']),
    options: { basePathStripped: true, trustForwardedPrefix: true },
    prefix: '/tv',
  },
  {
    name: 'nginx that strips the first part of a prefix and tells it',
    front: nginx(['location /live/', 'location /tv/'], ['8080;', '8080/; proxy_set_header X-Forwarded-Prefix /tv;']),
    options: { basePath: '/live', trustForwardedPrefix: true },
    prefix: '/tv/live',
  },
  { name: 'HAProxy', front: haproxy('option forwardfor'), options: {}, prefix: '' },
];

for (const runtime of RUNTIMES) {
  for (const { name, front, options, prefix } of MOUNTS) {
    test(`on ${runtime} a viewer goes through a whole session behind ${name}`, () =>
      behind(runtime, { ...options, ...LOOPBACK }, front, async ({ url }) => {
        const send = (method: string, path: string, init: RequestInit = {}) =>
          fetch(`${url}${path}`, { method, signal: AbortSignal.timeout(DEADLINE), ...init });
        const created = await eventually('a stream that is live', async () => {
          const response = await send('POST', `${prefix}/whep/demo`, { headers: SDP, body: WATCH });
          if (response.status !== 409) return response;
          await response.body?.cancel();
        });
        assert.is(created.status, 201, await created.text());
        const location = created.headers.get('location') ?? '';
        assert.ok(location.startsWith(`${prefix}/whep/demo/`), location);
        assert.is((await send('PATCH', location, { headers: FRAGMENT, body: fragment() })).status, 204);

        const [, events = ''] =
          /<([^>]+)>; rel="urn:ietf:params:whep:ext:core:server-sent-events"/.exec(created.headers.get('link') ?? '') ??
          [];
        const subscribed = await send('POST', events);
        assert.is(subscribed.status, 201, events);
        const told = await send('GET', subscribed.headers.get('location') ?? '');
        let text = '';
        for await (const chunk of told.body ?? []) {
          text += new TextDecoder().decode(chunk);
          // They come while the stream goes on, or only once time is up.
          if (text.includes('event: active') && text.includes('event: viewercount')) break;
        }
        assert.is(told.headers.get('content-type'), 'text/event-stream');

        assert.is((await send('GET', location)).status, 204, 'it is there');
        assert.is((await send('DELETE', location)).status, 204);
      }));
  }
}

test.run();

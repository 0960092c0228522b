import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Hono } from 'hono';
import { Router } from 'itty-router';
import type { NodeHttp1Handler } from 'srvx';
import { toNodeHandler } from 'srvx/node';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, type Server, type ServerOptions } from '../../src/index.ts';
import { Client, SDP, WATCH } from '../support/contract/client.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { LISTENERS } from '../support/listen.ts';

/** Every way to mount the handler, and the base path it needs there. */
const MOUNTS: {
  name: string;
  basePath: string;
  stripped?: boolean;
  mount: (server: Server) => (request: Request) => Promise<Response>;
}[] = [
  {
    name: 'Hono, which strips the prefix',
    stripped: true,
    basePath: '/live',
    mount: ({ fetch }) => {
      const app = new Hono();
      app.mount('/live', fetch);
      return async (request) => app.fetch(request);
    },
  },
  {
    name: 'Hono, told to leave the request alone',
    basePath: '/live',
    mount: ({ fetch }) => {
      const app = new Hono();
      app.mount('/live', fetch, { replaceRequest: (request) => request });
      return async (request) => app.fetch(request);
    },
  },
  {
    name: 'a Hono route',
    basePath: '/live',
    mount: ({ fetch }) => {
      const app = new Hono();
      app.all('/live/*', (context) => fetch(context.req.raw));
      return async (request) => app.fetch(request);
    },
  },
  {
    name: 'a Hono app under a base path of its own',
    stripped: true,
    basePath: '/tv/live',
    mount: ({ fetch }) => {
      const app = new Hono().basePath('/tv');
      app.mount('/live', fetch);
      return async (request) => app.fetch(request);
    },
  },
  {
    name: 'itty-router, which leaves the prefix',
    basePath: '/live',
    mount: ({ fetch }) => {
      const router = Router();
      router.all('/live/*', fetch);
      router.all('*', () => new Response('not mine', { status: 404 }));
      return (request) => router.fetch(request);
    },
  },
  {
    name: 'a prefix that is the name of a route',
    stripped: true,
    basePath: '/whep',
    mount: ({ fetch }) => {
      const app = new Hono();
      app.mount('/whep', fetch);
      return async (request) => app.fetch(request);
    },
  },
  { name: 'nothing', basePath: '/', mount: ({ fetch }) => fetch },
];

const test = suite('mounted');

async function start(options: ServerOptions = {}): Promise<{ server: Server; engine: FakeEngine }> {
  const engine = new FakeEngine();
  return { engine, server: await createServer({ engine, streams: { live: 'clip' }, ...options }) };
}

/** Through the whole life of a session, by nothing but the URLs that the server gave. */
async function live(client: Client, prefix: string): Promise<void> {
  const reply = await client.open('POST', `${prefix}/whep/live`, { method: 'POST' });
  assert.is(reply.status, 415, 'a POST without an offer');
  const { location, reply: created } = await client.watch(`${prefix}/whep/live`);
  assert.ok(location.startsWith(`${prefix}/whep/live/`), location);
  const [, events = ''] =
    /<([^>]+)>; rel="urn:ietf:params:whep:ext:core:server-sent-events"/.exec(created.headers.get('link') ?? '') ?? [];
  const subscribed = await client.open('POST', events);
  const stream = subscribed.headers.get('location') ?? '';
  assert.is(subscribed.status, 201, events);
  assert.is((await client.open('DELETE', stream)).status, 200);
  assert.is((await client.open('GET', location)).status, 204);
  assert.is((await client.open('DELETE', location)).status, 204);
}

for (const { name, basePath, stripped, mount } of MOUNTS) {
  test(`in ${name}`, async () => {
    const { server, engine } = await start({ basePath, basePathStripped: stripped });
    const prefix = basePath === '/' ? '' : basePath;
    const client = new Client({ fetch: mount(server), engine, close: server.close, prefix });
    await live(client, prefix);
    assert.is(engine.peers.size, 0);
    await server.close();
  });
}

for (const [name, listen] of LISTENERS) {
  test(`listening by ${name}, with whatever it passes besides the request`, async () => {
    const { server, engine } = await start();
    const { origin, close } = await listen(server.fetch);
    await live(new Client({ fetch: (request) => fetch(request), origin, engine, close }), '');
    assert.is(engine.peers.size, 0);
    await server.close();
    await close();
  });
}

test('the handler can be passed alone and takes no second argument', async () => {
  const { server } = await start();
  const { fetch } = server;
  assert.is(fetch.length, 1);
  const passed: (request: Request, ...others: unknown[]) => Promise<Response> = fetch;
  assert.is((await passed(new Request('http://x/healthz'), null, { params: { id: 'x' } })).status, 200);
  await server.close();
});

test('behind a body parser of Node the 400 says who has read the offer', async () => {
  const { server } = await start();
  const handler = toNodeHandler(server.fetch) as NodeHttp1Handler;
  const http = createHttpServer(async (request, response) => {
    for await (const _ of request);
    await handler(request, response);
  });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  const { port } = http.address() as AddressInfo;
  const reply = await fetch(`http://127.0.0.1:${port}/whep/live`, { method: 'POST', headers: SDP, body: WATCH });
  assert.equal([reply.status, /body parser/.test(await reply.text())], [400, true]);
  http.close();
  await server.close();
});

test('the router of an app around it keeps what it put on the request', async () => {
  const { server } = await start();
  const router = Router();
  const seen: unknown[] = [];
  router.all('/:any/*', async (request) => {
    const response = await server.fetch(request);
    seen.push(request.params.any, request.route);
    return response;
  });
  assert.is((await router.fetch(new Request('http://x/whep/live', { method: 'OPTIONS' }))).status, 204);
  assert.equal(seen, ['whep', '/:any/*']);
  await server.close();
});

test.run();

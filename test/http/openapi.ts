import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as z from 'zod';
import { createServer } from '../../src/index.ts';
import { Client } from '../support/contract/client.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('OpenAPI document');

const body = z.object({ content: z.record(z.string(), z.object({ schema: z.unknown().optional() })) });
const operation = z.object({
  summary: z.string().min(1),
  responses: z.record(
    z.string().regex(/^\d{3}$/),
    z.object({ description: z.string(), content: z.unknown().optional() }),
  ),
  requestBody: body.optional(),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
});
const document = z.object({
  openapi: z.literal('3.1.0'),
  info: z.object({ title: z.string(), version: z.string() }),
  servers: z.array(z.object({ url: z.string() })),
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({ securitySchemes: z.record(z.string(), z.unknown()) }),
});

/** So that the document and every route is there to be asked for. */
const OPEN = { open: ['watch', 'publish', 'observe'] } as const;
const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'options'];

async function start() {
  const engine = new FakeEngine();
  const options = { streams: { live: 'clip' }, adminToken: 'admin-token', basePath: '/tv', ...OPEN };
  const server = await createServer({ engine, ...options });
  const client = new Client({ ...server, engine, prefix: '/tv' });
  const { text } = await client.send('GET', '/tv/openapi.json');
  return { server, client, api: document.parse(JSON.parse(text)) };
}

test('every method of every path is there when it is described, and is not when it is not', async () => {
  const { server, client, api } = await start();
  assert.equal(api.servers, [{ url: '/tv' }]);
  for (const [template, item] of Object.entries(api.paths)) {
    const path = `/tv${template.replace(/\{\w+\}/g, 'unknown')}`;
    for (const method of METHODS) {
      const { status } = await client.send(method.toUpperCase(), path);
      if (method in item) assert.is.not(status, 405, `${method} ${template} is described`);
      else assert.is(status, 405, `${method} ${template} is not described`);
    }
  }
  await server.close();
});

test('every route of the server is described', async () => {
  const { server, api } = await start();
  assert.equal(Object.keys(api.paths).sort(), [
    '/',
    '/api/sessions',
    '/api/sessions/{resource}',
    '/api/streams',
    '/api/streams/{id}',
    '/healthz',
    '/metrics',
    '/openapi.json',
    '/play/{id}',
    '/readyz',
    '/webrtc/stats',
    '/whep/{id}',
    '/whep/{id}/{resource}',
    '/whep/{id}/{resource}/events',
    '/whep/{id}/{resource}/events/{events}',
    '/whip/{id}',
    '/whip/{id}/{resource}',
  ]);
  await server.close();
});

test('operations are well-formed, and each parameter of a path is described', async () => {
  const { server, api } = await start();
  for (const [template, item] of Object.entries(api.paths)) {
    const names = z.array(z.object({ name: z.string(), in: z.literal('path') })).parse(item.parameters);
    assert.equal(
      names.map(({ name }) => `{${name}}`),
      template.match(/\{\w+\}/g) ?? [],
    );
    for (const method of METHODS.filter((name) => name in item)) {
      const { security = [] } = operation.parse(item[method]);
      for (const scheme of security.flatMap((each) => Object.keys(each))) {
        assert.ok(scheme in api.components.securitySchemes, scheme);
      }
    }
  }
  await server.close();
});

test('administration needs its token, whatever else is open', async () => {
  const { server, api } = await start();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((name) => name in item)) {
      const { security } = operation.parse(item[method]);
      const needed = security?.every((each) => 'adminToken' in each);
      assert.is(needed === true, path.startsWith('/api/'), `${method} ${path}`);
    }
  }
  await server.close();
});

test('what a route answers without a token is described', async () => {
  const { server, client, api } = await start();
  for (const [template, item] of Object.entries(api.paths)) {
    const path = `/tv${template.replace(/\{\w+\}/g, 'unknown')}`;
    for (const method of METHODS.filter((name) => name in item)) {
      const { status } = await client.send(method.toUpperCase(), path);
      assert.ok(String(status) in operation.parse(item[method]).responses, `${method} ${template}: ${status}`);
    }
  }
  await server.close();
});

test('the schema of a source is the one that validates', async () => {
  const { server, api } = await start();
  const put = operation.parse(api.paths['/api/streams/{id}']?.put);
  const schema = JSON.stringify(put.requestBody?.content['application/json']?.schema);
  for (const word of ['rtp', 'ffmpeg', 'whip', 'push', 'clip', '65535']) assert.ok(schema.includes(word), word);
  await server.close();
});

test.run();

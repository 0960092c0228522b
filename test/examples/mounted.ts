import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkAnswer } from '../support/answer-rules.ts';
import { eventually } from '../support/eventually.ts';
import { prepare, running } from '../support/example.ts';
import { STREAM } from '../support/exchange.ts';
import { offerOf } from '../support/offers.ts';
import { currentRuntime, RUNTIMES, type Runtime } from '../support/runtimes.ts';

/** Where each example serves, and on what it runs. */
const EXAMPLES: { name: string; prefix: string; runtimes: readonly Runtime[] }[] = [
  { name: 'embed', prefix: '', runtimes: RUNTIMES },
  { name: 'push', prefix: '', runtimes: RUNTIMES },
  { name: 'hono', prefix: '/live', runtimes: RUNTIMES },
  { name: 'itty-router', prefix: '/live', runtimes: RUNTIMES },
  { name: 'node', prefix: '/live', runtimes: ['node'] },
  { name: 'bun', prefix: '/live', runtimes: ['bun'] },
  { name: 'deno', prefix: '/live', runtimes: ['deno'] },
];

const test = suite('examples');
const runtime = currentRuntime();

/** Once through a session, by nothing but the address that the server gave. */
async function watch(origin: string, prefix: string, send: (request: Request) => Promise<Response>): Promise<void> {
  const created = await eventually('a stream that is live', async () => {
    const headers = { 'Content-Type': 'application/sdp' };
    const body = offerOf('chromium-watch');
    const response = await send(new Request(`${origin}${prefix}/whep/demo`, { method: 'POST', headers, body }));
    if (response.status !== 409) return response;
    await response.text();
  });
  assert.is(created.status, 201);
  assert.equal(checkAnswer(offerOf('chromium-watch'), await created.text(), STREAM), []);
  const location = created.headers.get('location') ?? '';
  assert.ok(location.startsWith(`${prefix}/whep/demo/`), location);
  assert.is((await send(new Request(`${origin}${location}`))).status, 204);
  assert.is((await send(new Request(`${origin}${location}`, { method: 'DELETE' }))).status, 204);
}

for (const { name, prefix, runtimes } of EXAMPLES) {
  if (!runtimes.includes(runtime)) continue;
  test(`examples/${name}.ts serves WHEP${prefix && ` under ${prefix}`}`, () =>
    running(name, async (page) => {
      const { origin, pathname } = new URL(page);
      assert.is(pathname, `${prefix}/play/demo`);
      assert.match(await (await fetch(page)).text(), '<video');
      await watch(origin, prefix, (request) => fetch(request));
      if (prefix !== '') assert.is((await fetch(`${origin}/nowhere`)).status, 404);
    }));
}

test('examples/embed.ts lets everybody watch the demo, members all and look at it, and nobody publish', () =>
  running('embed', async (page) => {
    const letIn = (cookie: string) =>
      Promise.all(
        ['whep/demo', 'whep/cam1', 'webrtc/stats', 'whip/cam1'].map(async (path) => {
          const method = path.startsWith('wh') ? 'POST' : 'GET';
          const { status, body } = await fetch(new URL(`/${path}`, page), { method, headers: { Cookie: cookie } });
          await body?.cancel();
          return status !== 401;
        }),
      );
    for (const cookie of ['theme=dark', 'member=yesterday', 'nonmember=yes']) {
      assert.equal(await letIn(cookie), [true, false, false, false], cookie);
    }
    for (const cookie of ['member=yes', 'theme=dark; member=yes; lang=en']) {
      assert.equal(await letIn(cookie), [true, true, true, false], cookie);
    }
  }));

test('examples/push-webcodecs.ts takes what its own page posts, and nothing of others', async () => {
  await running('push-webcodecs', async (page) => {
    const { origin } = new URL(page);
    const post = async (path: string, body: Uint8Array<ArrayBuffer>, from = origin) =>
      (await fetch(`${origin}${path}`, { method: 'POST', body, headers: { Origin: from } })).status;
    assert.match(await (await fetch(`${origin}/encode`)).text(), 'src="encode.js"');
    assert.match(await (await fetch(`${origin}/encode.js`)).text(), 'new VideoEncoder');
    const frame = new Uint8Array([0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0]);
    assert.is(await post('/chunks?stream=demo&at=0', frame), 204);
    assert.is(await post('/chunks?stream=demo&at=0', frame, 'https://example.org'), 403);
    assert.is(await post('/chunks?stream=demo&at=-1', frame), 400);
    assert.is(await post('/chunks?stream=none&at=0', frame), 400);
    assert.is((await fetch(`${origin}/play/vp9`)).status, 200);
  });
});

test('examples/next-route.ts serves WHEP under /live, by the methods that Next calls', async () => {
  // No listener holds the process, as that of Next would.
  const held = setInterval(() => {}, 1000);
  try {
    const route = (await import(join(process.cwd(), prepare('next-route')))) as Record<
      string,
      (request: Request) => Promise<Response>
    >;
    await watch('http://localhost:3000', '/live', (request) => {
      const handle = route[request.method];
      if (handle === undefined) throw new Error(`the route has no ${request.method}`);
      return handle(request);
    });
    const { live } = globalThis as typeof globalThis & { live?: Promise<{ close(): Promise<void> }> };
    await (await live)?.close();
  } finally {
    clearInterval(held);
  }
});

test.run();

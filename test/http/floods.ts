import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { clientOf } from '../../src/http/client.ts';
import { RateLimiter } from '../../src/http/rate.ts';
import { createServer, Failure } from '../../src/index.ts';
import { parseOptions } from '../../src/options.ts';
import { Clock } from '../support/clock.ts';
import { FRAGMENT, SDP, WATCH } from '../support/contract/client.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('floods');
const MIB = 1024 * 1024;

/** A body that comes in bytes and never ends; knows how much was taken and whether anyone still wants it. */
class Dribble {
  taken = 0;
  cancelled = false;
  readonly stream = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        if (this.taken % 512 === 0) await new Promise((resolve) => setImmediate(resolve));
        this.taken++;
        controller.enqueue(new Uint8Array([this.taken === 1 ? 0x76 : 0x3d]));
      },
      cancel: () => {
        this.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
}

test('200 clients that dribble their bodies cost what the limits allow, and no more', async () => {
  const alive = setInterval(() => {}, 1000);
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' }, bodyTimeoutSeconds: 2 });
  const dribbles = Array.from({ length: 200 }, () => new Dribble());
  const before = process.memoryUsage().rss;
  let peak = 0;
  const watching = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss - before);
  }, 50);
  const statuses = await Promise.all(
    dribbles.map(async ({ stream }) => {
      const init: RequestInit & { duplex: 'half' } = { method: 'POST', headers: SDP, body: stream, duplex: 'half' };
      return (await server.fetch(new Request('http://x/whep/live', init))).status;
    }),
  );
  clearInterval(watching);
  assert.ok(statuses.every((status) => status === 400 || status === 413));
  for (const { cancelled, taken } of dribbles) {
    assert.ok(cancelled, 'nobody reads on');
    assert.ok(taken <= 32 * 1024 + 1, `${taken} bytes were taken`);
  }
  // 200 bodies of 32 KiB are 6 MiB; a list of one-byte chunks would be thousands.
  assert.ok(peak < 300 * MIB, `${(peak / MIB).toFixed(0)} MiB more at the peak`);
  await server.close();
  clearInterval(alive);
});

test('a body is read no further than its limit, and by nobody after that', async () => {
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' } });
  let pulled = 0;
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      pulled++;
      controller.enqueue(new Uint8Array(64 * 1024));
    },
    cancel: () => {
      cancelled = true;
    },
  });
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', headers: SDP, body, duplex: 'half' };
  const { status } = await server.fetch(new Request('http://x/whep/live', init));
  assert.equal([status, cancelled], [413, true]);
  assert.ok(pulled <= 8, `${pulled} chunks`);
  await server.close();
});

test('a Content-Length beyond the limit is refused unread, one that lies is not believed', async () => {
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' } });
  const post = async (length: string, body: string) => {
    const headers = { ...SDP, 'Content-Length': length };
    return (await server.fetch(new Request('http://x/whep/live', { method: 'POST', headers, body }))).status;
  };
  assert.is(await post('131073', 'v=0'), 413);
  assert.is(await post('3', 'x'.repeat(131_073)), 413);
  assert.is(await post('nonsense', 'v=0'), 400);
  await server.close();
});

test('a request whose body was read already is 400, not 500', async () => {
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' } });
  for (const spoil of [(request: Request) => request.text(), async (request: Request) => request.body?.getReader()]) {
    const request = new Request('http://x/whep/live', { method: 'POST', headers: SDP, body: 'v=0\r\n' });
    await spoil(request);
    assert.is((await server.fetch(request)).status, 400);
  }
  await server.close();
});

test('slow bodies make room for those that come, and quick ones are never sent away', async () => {
  const clock = new Clock();
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' }, bodyTimeoutSeconds: 60 });
  const post = (body: BodyInit) => {
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', headers: SDP, body, duplex: 'half' };
    return server.fetch(new Request('http://x/whep/live', init));
  };
  let answered = 0;
  const stuck = () => post(new ReadableStream()).then(() => answered++);
  try {
    const slow = Array.from({ length: 256 }, stuck);
    await clock.advance(500);
    assert.is((await post(WATCH)).status, 201);
    assert.is(answered, 0, 'nobody has to go in the first second');
    await clock.advance(600);
    const more = Array.from({ length: 10 }, stuck);
    await Promise.all(slow.slice(0, 10));
    assert.is(answered, 10, 'the oldest, and no more');
    assert.is((await post(WATCH)).status, 201);
    await clock.advance(60_000);
    await Promise.all([...slow, ...more]);
  } finally {
    clock.restore();
    await server.close();
  }
});

test('a body that breaks off is 400', async () => {
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' } });
  const body = new ReadableStream({ pull: (controller) => controller.error(new Error('reset by 192.0.2.1')) });
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', headers: SDP, body, duplex: 'half' };
  const response = await server.fetch(new Request('http://x/whep/live', init));
  assert.equal([response.status, await response.text()], [400, 'read body: the connection failed']);
  assert.is(response.headers.get('connection'), 'close', 'what is left of the body is not read as a request');
  await server.close();
});

test('tokens come back at the rate, up to the burst', async () => {
  const clock = new Clock();
  try {
    const limiter = new RateLimiter(parseOptions({ rateLimit: { perSecond: 2, burst: 3 } }).rateLimit);
    const request = new Request('http://x/');
    const taken = (count: number) => Array.from({ length: count }, () => took(limiter, request)).join(' ');
    assert.is(taken(5), 'yes yes yes 1 1');
    await clock.advance(501);
    assert.is(taken(2), 'yes 1');
    await clock.advance(60_000);
    assert.is(taken(4), 'yes yes yes 1');
  } finally {
    clock.restore();
  }
});

test('a client beyond its rate keeps no connection: one that opens thousands holds none of them', async () => {
  const server = await createServer({
    engine: new FakeEngine(),
    streams: { live: 'clip' },
    rateLimit: { perSecond: 0.001, burst: 1, key: () => 'everybody' },
  });
  const ask = async () => {
    const response = await server.fetch(new Request('http://x/webrtc/stats'));
    return [response.status, response.headers.get('connection')];
  };
  assert.equal(
    [await ask(), await ask()],
    [
      [200, null],
      [429, 'close'],
    ],
  );
  await server.close();
});

test('the rate limit tells clients apart by the address srvx gives, and forgets the quietest of many', () => {
  const limiter = new RateLimiter(parseOptions({ rateLimit: { perSecond: 0.001, burst: 1 } }).rateLimit);
  const from = (ip: string) => Object.assign(new Request('http://x/'), { ip });
  assert.is(took(limiter, from('192.0.2.1')), 'yes');
  assert.is(took(limiter, from('192.0.2.2')), 'yes');
  assert.is.not(took(limiter, from('192.0.2.1')), 'yes');
  for (let index = 0; index < 9_999; index++) took(limiter, from(`client ${index}`));
  assert.is.not(took(limiter, from('192.0.2.1')), 'yes', 'seen a moment ago');
  assert.is(took(limiter, from('192.0.2.2')), 'yes', 'forgotten');
});

test('an IPv6 client is its network of 64 bits, an IPv4 client its address however it is written', () => {
  const limiter = new RateLimiter(parseOptions({ rateLimit: { perSecond: 0.001, burst: 1 } }).rateLimit);
  const first = (ip: string) => took(limiter, Object.assign(new Request('http://x/'), { ip })) === 'yes';
  assert.ok(first('2001:db8:1:2:3:4:5:6'));
  assert.not(first('2001:db8:1:2::9'));
  assert.ok(first('2001:db8:1:3::9'));
  assert.ok(first('2001:db8::1'));
  assert.not(first('2001:db8:0:0:ffff::1'));
  assert.ok(first('::1'));
  assert.ok(first('::ffff:192.0.2.1'));
  assert.ok(first('::ffff:192.0.2.2'));
  assert.ok(first('192.0.2.3'));
});

test('what is refused without its body is refused unread', async () => {
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' }, token: 'secret-token' });
  for (const [method, path, headers, expected] of [
    ['POST', '/whep/live', SDP, 401],
    ['PATCH', '/whep/live/unknown', FRAGMENT, 404],
    ['PUT', '/whep/live', SDP, 405],
  ] as const) {
    const dribble = new Dribble();
    const init: RequestInit & { duplex: 'half' } = { method, headers, body: dribble.stream, duplex: 'half' };
    assert.is((await server.fetch(new Request(`http://x${path}`, init))).status, expected);
    assert.is(dribble.taken, 0);
  }
  await server.close();
});

/** `yes`, or the seconds after which to come back. */
function took(limiter: RateLimiter, request: Request, key?: (request: Request) => string): string {
  try {
    limiter.take(clientOf(request, key));
    return 'yes';
  } catch (error) {
    if (error instanceof Failure) return String(error.facts.retryAfter);
    throw error;
  }
}

test.run();

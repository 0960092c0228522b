import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { withLogs } from '../support/logs.ts';
import type { Origin } from '../support/origin.ts';
import { type Edge, failing, playing, pulling, withOrigin } from '../support/pulling.ts';

const test = suite('whep source against a hostile server');

/** What the real server answers, with headers changed. */
async function answered(origin: Origin, request: Request, body: string, changed: Record<string, string>) {
  const response = await origin.real(request, body);
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(changed)) headers.set(name, value);
  return new Response(response.body, { status: response.status, headers });
}

function onPost(origin: Origin, headers: Record<string, string>): void {
  origin.script = (request, { method, body }) =>
    method === 'POST' ? answered(origin, request, body, headers) : undefined;
}

test('neither its redirects nor its session URLs lead to another origin', async () => {
  await withOrigin(async (other) => {
    await withOrigin(async (origin) => {
      const elsewhere = `${new URL(other.url).origin}/internal/index?x=1`;
      origin.script = () => new Response(null, { status: 307, headers: { Location: elsewhere } });
      await pulling(`whep:${origin.url}`, (edge) => failing(edge, /another origin.*followOrigins/));
      onPost(origin, { Location: elsewhere });
      await pulling(`whep:${origin.url}`, playing);
      assert.equal(other.seen, []);
      await pulling({ whep: { url: origin.url, followOrigins: true } }, playing);
      assert.equal(
        other.seen.map(({ method, path, authorization }) => [method, path, authorization]),
        [['DELETE', '/internal/index?x=1', null]],
      );
    });
  });
});

/** The stream falls silent after it was seen to flow. */
async function silence(edge: Edge): Promise<void> {
  await playing(edge);
  await eventually('a look', () => edge.server.snapshot().active_streams === 1);
  for (const leg of ['video', 'audio'] as const) edge.engine.leg('relay', leg, false);
}

test('what is no entity tag is not sent back', async () => {
  await withOrigin(async (origin) => {
    for (const [tag, sent] of [
      ['"good"', '"good"'],
      ['"a", "b"', '*'],
      ['x'.repeat(3000), '*'],
    ] as const) {
      origin.seen.length = 0;
      onPost(origin, { ETag: tag });
      await pulling(`whep:${origin.url}`, async (edge) => {
        await silence(edge);
        const patch = await eventually('a PATCH', () => origin.seen.find(({ method }) => method === 'PATCH'));
        assert.is(patch.match, sent);
      });
    }
  });
});

test('endless bodies of refusals and redirects are not read, 10,000 headers and a giant Location harm nobody', async () => {
  await withOrigin(async (origin) => {
    let sent = 0;
    let open = 0;
    const endless = () =>
      new ReadableStream({
        start: () => void open++,
        cancel: () => void open--,
        pull(controller) {
          sent += 16_384;
          if (sent > 200_000_000) controller.close();
          else controller.enqueue(new Uint8Array(16_384).fill(0x76));
        },
      });
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`X-Header-${index}`, 'x']));
    const hostile: (() => Response)[] = [
      () => new Response(endless(), { status: 500 }),
      () => new Response(endless(), { status: 404 }),
      () => new Response(endless(), { status: 307, headers: { Location: '/elsewhere' } }),
      () => new Response('v=0', { status: 201, headers: many }),
      () => new Response('v=0', { status: 201, headers: { Location: `/${'x'.repeat(8000)}` } }),
    ];
    for (const answer of hostile) {
      let left = 1;
      origin.seen.length = 0;
      origin.script = () => (left-- > 0 ? answer() : undefined);
      await pulling(`whep:${origin.url}`, async (edge) => {
        await eventually('a failure', () => edge.pull().last_error);
        await playing(edge);
      });
      assert.ok(origin.seen.every(({ path }) => path.length < 100));
    }
    await eventually('the end of each body', () => open === 0);
    assert.ok(sent < 100_000_000, `${sent} bytes were taken`);
  });
});

test('a server that does wrong each time is soon left alone for long', async () => {
  await withLogs(async (messages) => {
    await withOrigin(async (origin) => {
      origin.script = ({ method }) =>
        method === 'POST' ? new Response('v=0', { status: 201, headers: { Location: '/whep/cam1/1' } }) : undefined;
      await pulling(`whep:${origin.url}`, async () => {
        const long = (each: string) => Number(/again in (\d+) ms/.exec(each)?.[1] ?? 0) >= 30_000;
        await eventually('a long pause', () => messages.some(long), 30_000);
        const sent = (wanted: string) => origin.methods().filter((each) => each === wanted).length;
        assert.equal([sent('POST'), sent('DELETE')], [5, 5]);
      });
    });
  }, 'debug');
});

test('a server that is away, or has nothing live, is asked again as soon as ever', async () => {
  await withLogs(async (messages) => {
    await withOrigin(async (origin) => {
      origin.script = () => new Response(null, { status: 409 });
      await pulling(`whep:${origin.url}`, async () => {
        await eventually('many attempts', () => origin.seen.length > 6, 30_000);
        const waits = messages.map((each) => Number(/again in (\d+) ms/.exec(each)?.[1] ?? 0));
        assert.ok(Math.max(...waits) <= 5_000, `${waits}`);
      });
    });
  }, 'debug');
});

test('nothing that it wrote is in the statistics', async () => {
  await withOrigin(async (origin) => {
    const answers = [
      'v=0\r\nm=video SECRETLINE',
      'SECRETLINE',
      'v=0\r\no=- 1 1 IN IP4 SECRETLINE\r\ns=-\r\nt=0 0\r\na=mid:SECRETLINE',
    ];
    for (const answer of answers) {
      origin.script = () =>
        new Response(answer, { status: 201, statusText: 'SECRETLINE', headers: { Server: 'SECRETLINE' } });
      await pulling(`whep:${origin.url}`, async (edge) => {
        const why = await eventually('a reason', () => edge.pull().last_error);
        assert.match(why, /answer is invalid/);
        assert.not.match(JSON.stringify(edge.server.snapshot()), 'SECRETLINE');
      });
    }
  });
});

test('a stream may come through 16 servers, and not through more', async () => {
  await withOrigin(async (origin) => {
    const marks = Array.from({ length: 17 }, (_, index) => `${index}`.padStart(22, 'x'));
    onPost(origin, { 'Fetch-Whep-Path': marks.slice(1).join(', ') });
    await pulling(`whep:${origin.url}`, async (edge) => {
      await playing(edge);
      assert.is(edge.pull().hops, 16);
    });
    onPost(origin, { 'Fetch-Whep-Path': marks.join(', ') });
    await pulling(`whep:${origin.url}`, (edge) => failing(edge, /more than 16 servers/));
  });
});

test.run();

import * as assert from 'uvu/assert';
import { type Client, FRAGMENT, type Init, type Reply, SDP, WATCH } from './client.ts';
import type { Row } from './row.ts';

const KIB = 1024;
const RATE = { rateLimit: { perSecond: 0.2, burst: 100 } };
const KEYED = {
  rateLimit: { perSecond: 0.2, burst: 2, key: (request: Request) => request.headers.get('x-client') ?? '' },
};
const PATIENCE = { bodyTimeoutSeconds: 0.3 };

/** Each limit, at it and one past it. */
export const limits: Row[] = [
  {
    name: '8: an offer of 32 KiB is read, one byte more is 413',
    run: async (client) => {
      const padded = (size: number) =>
        `${WATCH}${`a=x-${'x'.repeat(998)}\r\n`.repeat(200).slice(0, size - WATCH.length - 2)}\r\n`;
      const whole = padded(32 * KIB);
      assert.is(whole.length, 32 * KIB);
      await client.watch('/whep/live', { body: whole });
      const reply = await client.send('POST', '/whep/live', { headers: SDP, body: `${whole}x` });
      assert.is(reply.status, 413);
      assert.match(reply.text, /^read body: /);
    },
  },
  {
    name: '8: a chunked offer is counted while it is read',
    run: async (client) => {
      assert.is((await client.send('POST', '/whep/live', chunked(32, KIB))).status, 400);
      assert.is((await client.send('POST', '/whep/live', chunked(33, KIB))).status, 413);
      assert.is((await client.send('POST', '/whep/live', chunked(20_000, KIB))).status, 413);
    },
  },
  {
    name: '8: an offer that is sent too slowly is 400',
    options: PATIENCE,
    run: async (client) => {
      let answered = () => {};
      const response = new Promise<void>((resolve) => {
        answered = resolve;
      });
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode('v=0\r\n')),
        // The rest comes when it is too late: a client that never ended would hold its connection open.
        pull: (controller) => response.then(() => controller.close()),
      });
      const reply = await client.send('POST', '/whep/live', { headers: SDP, body, duplex: 'half' });
      answered();
      assert.is(reply.status, 400);
      assert.match(reply.text, /^read body: /);
    },
  },
  {
    name: 'PATCH of 16 KiB is read, one byte more is 413',
    run: async (client) => {
      const { location } = await client.watch();
      const send = async (size: number) =>
        (await client.send('PATCH', location, { headers: FRAGMENT, body: 'x'.repeat(size) })).status;
      assert.equal([await send(16 * KIB), await send(16 * KIB + 1)], [400, 413]);
    },
  },
  {
    name: 'an offer of 1000 lines is read, one of 1001 is 413',
    run: async (client) => {
      const filled = (lines: number) => WATCH + 'a=x\r\n'.repeat(lines - WATCH.trimEnd().split('\n').length);
      await client.watch('/whep/live', { body: filled(1000) });
      const reply = await client.send('POST', '/whep/live', { headers: SDP, body: filled(1001) });
      assert.equal([reply.status, reply.text], [413, 'too many lines']);
    },
  },
  {
    name: 'an offer of 64 m-lines is read, one of 65 is 413',
    run: async (client) => {
      const data = 'm=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n';
      const lines = WATCH.match(/^m=/gm)?.length ?? 0;
      await client.watch('/whep/live', { body: WATCH + data.repeat(64 - lines) });
      const reply = await client.send('POST', '/whep/live', { headers: SDP, body: WATCH + data.repeat(65 - lines) });
      assert.equal([reply.status, reply.text], [413, 'too many m-lines']);
    },
  },
  {
    name: 'an offer with 200 candidates is read, one with 201 is 413',
    run: async (client) => {
      const offer = WATCH.replace(/a=candidate.*\r\n/g, '');
      const candidates = (count: number) =>
        Array.from(
          { length: count },
          (_, index) => `a=candidate:${index} 1 UDP 2122252543 192.0.2.7 ${9000 + index} typ host\r\n`,
        ).join('');
      await client.watch('/whep/live', { body: offer + candidates(200) });
      const reply = await client.send('POST', '/whep/live', { headers: SDP, body: offer + candidates(201) });
      assert.equal([reply.status, reply.text], [413, 'too many candidates']);
    },
  },
  {
    name: 'a client beyond its rate is 429 with Retry-After, whatever it asks for, but for health and the player page',
    options: RATE,
    run: async (client) => {
      const { location } = await client.watch();
      const asked: number[] = [];
      while (!asked.includes(429) && asked.length < 200)
        asked.push((await client.send('POST', '/whep/unknown')).status);
      assert.equal([asked[0], asked.at(-1)], [404, 429]);
      for (const [method, path] of [
        ['POST', '/whep/live'],
        ['OPTIONS', '/whep/live'],
        ['PATCH', location],
        ['DELETE', location],
        ['POST', `${location}/events`],
        ['POST', '/whip/pub'],
        ['GET', '/webrtc/stats'],
        ['GET', '/metrics'],
        ['GET', '/'],
        ['GET', '/api/streams'],
        ['GET', '/no/such/path'],
      ] as const) {
        const reply = await client.send(method, path);
        assert.is(reply.status, 429);
        const seconds = Number(reply.headers.get('retry-after'));
        assert.ok(seconds >= 1 && seconds <= 5, `Retry-After: ${seconds}`);
      }
      for (const path of ['/healthz', '/readyz', '/play/live']) {
        assert.is((await client.send('GET', path)).status, 200, path);
        assert.is((await client.open('DELETE', path)).status, 429, path);
      }
    },
  },
  {
    name: 'clients are told apart by the key of the hook',
    needs: 'hook',
    options: KEYED,
    run: async (client) => {
      const status = async (name: string) =>
        (await client.send('POST', '/whep/unknown', { headers: { 'X-Client': name } })).status;
      assert.equal([await status('a'), await status('a'), await status('a')], [404, 404, 429]);
      assert.equal([await status('b'), await status('b'), await status('b')], [404, 404, 429]);
    },
  },
  {
    name: 'of 100 viewers at once exactly as many get in as there are places, and again after all have left',
    options: { maxViewers: 7, maxViewersPerStream: 100 },
    run: async (client) => {
      for (let round = 0; round < 2; round++) {
        const replies = await Promise.all(Array.from({ length: 100 }, () => post(client)));
        const count = (status: number) => replies.filter((reply) => reply.status === status).length;
        assert.equal([count(201), count(503)], [7, 93]);
        assert.is((await client.stats()).active_peers, 7);
        await client.leave();
      }
    },
  },
];

function post(client: Client): Promise<Reply> {
  return client.send('POST', '/whep/live', { headers: SDP, body: WATCH });
}

/** A body of so many chunks, made as they are asked for. */
function chunked(count: number, size: number): Init {
  let sent = 0;
  const body = new ReadableStream({
    pull: (controller) => {
      if (sent++ < count) controller.enqueue(new Uint8Array(size).fill(0x78));
      else controller.close();
    },
  });
  return { headers: SDP, body, duplex: 'half' };
}

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { withLogs } from '../support/logs.ts';
import { Origin } from '../support/origin.ts';
import { failing, playing, pulling, withOrigin } from '../support/pulling.ts';

const test = suite('HTTP of the whep source');

test('each refusal is told in words, with its cure', async () => {
  const sdp = { 'Content-Type': 'application/sdp' };
  const cases: [status: number, headers: Record<string, string>, why: RegExp][] = [
    [401, {}, /wants credentials \(401\): give a token/],
    [403, {}, /forbids it \(403\)/],
    [404, {}, /no such stream \(404\): check the URL/],
    [406, sdp, /wants to make the offer itself \(406\), which is not supported/],
    [406, {}, /accepts nothing of the offer \(406\)/],
    [409, { 'Retry-After': '0' }, /nothing is live there at present \(409\)/],
    [429, {}, /busy \(429\)/],
    [500, {}, /answered 500/],
    [503, {}, /busy \(503\)/],
    [302, { Location: '/elsewhere' }, /redirects by 302/],
    [204, {}, /answered 204/],
  ];
  await withOrigin(async (origin) => {
    for (const [status, headers, why] of cases) {
      origin.script = () => new Response(status === 204 ? null : 'do not repeat me', { status, headers });
      await pulling(`whep:${origin.url}`, async (edge) => {
        await failing(edge, why);
        assert.not.match(edge.pull().last_error ?? '', /repeat/);
        assert.is(edge.server.snapshot().streams.relay?.state, 'starting');
      });
    }
  });
});

test('attempts go on, and Retry-After is kept to', async () => {
  await withOrigin(async (origin) => {
    let left = 3;
    origin.script = ({ method }) => {
      if (method !== 'POST' || left-- <= 0) return undefined;
      return new Response(null, { status: 409, headers: left === 0 ? { 'Retry-After': '1' } : {} });
    };
    await pulling(`whep:${origin.url}`, async (edge) => {
      await playing(edge);
      assert.is(edge.pull().restarts, 3);
      const [, , third, last] = origin.seen;
      assert.ok((last?.at ?? 0) - (third?.at ?? 0) >= 990, 'a second has passed');
      assert.match(await edge.server.metrics(), /^whep_pull_restarts_total\{stream="relay"\} 3$/m);
      assert.match(await edge.server.metrics(), /^whep_pull_playing\{stream="relay"\} 1$/m);
    });
  });
});

/** What the real server answers, changed. */
async function changed(origin: Origin, request: Request, body: string, change: (sdp: string) => string) {
  const response = await origin.real(request, body);
  const headers = new Headers(response.headers);
  headers.delete('content-length');
  return new Response(change(await response.text()), { status: 201, headers });
}

test('an answer that is none, or that says what was not offered, goes no further than its check', async () => {
  const cases: [what: string, change: (sdp: string) => string, why: RegExp][] = [
    ['garbage', () => 'hello', /invalid SDP/],
    ['nothing', () => '', /answer is invalid/],
    ['a foreign payload type', (sdp) => sdp.replaceAll(/\b96\b/g, '77'), /payload type 77 was not offered/],
    ['another codec', (sdp) => sdp.replace('H264/90000', 'VP8/90000'), /payload type 96 is not H264/],
    ['sendrecv', (sdp) => sdp.replaceAll('a=sendonly', 'a=sendrecv'), /must be sendonly/],
    ['no direction', (sdp) => sdp.replaceAll('a=sendonly\r\n', ''), /must be sendonly/],
    ['one line less', (sdp) => sdp.slice(0, sdp.indexOf('m=audio')), /has 1 m-lines, the offer 2/],
    ['no fingerprint', (sdp) => sdp.replaceAll(/a=fingerprint:.*\r\n/g, ''), /no usable fingerprint/],
    ['no DTLS role', (sdp) => sdp.replaceAll('a=setup:passive', 'a=setup:actpass'), /choose a DTLS role/],
    ['one SSRC for both', (sdp) => sdp.replaceAll(/a=ssrc:\d+/g, 'a=ssrc:7'), /two m-lines have one SSRC/],
    ['another mid', (sdp) => sdp.replace('a=mid:0', 'a=mid:x'), /has mid x, and was offered as 0/],
    ['no group', (sdp) => sdp.replace(/a=group:.*\r\n/, ''), /outside the BUNDLE group/],
    ['all rejected', (sdp) => sdp.replaceAll(/^m=(\w+) 9 /gm, 'm=$1 0 '), /accepts neither/],
  ];
  await withLogs(async (messages) => {
    await withOrigin(async (origin) => {
      for (const [what, change, why] of cases) {
        origin.seen.length = 0;
        origin.script = (request, { method, body }) =>
          method === 'POST' ? changed(origin, request, body, change) : undefined;
        await pulling(`whep:${origin.url}`, async (edge) => {
          await failing(edge, /answer is invalid/);
          assert.ok(
            messages.splice(0).some((each) => why.test(each)),
            what,
          );
          assert.not.match(edge.pull().last_error ?? '', '"');
          assert.ok(
            [...edge.engine.pulls.values()].every(({ answer }) => answer === undefined),
            what,
          );
          await eventually(`the DELETE after ${what}`, () => origin.methods().includes('DELETE'));
        });
        assert.is(origin.engine.peers.size, 0, what);
      }
    });
  });
});

test('an endless answer is read no further than its limit', async () => {
  await withOrigin(async (origin) => {
    let sent = 0;
    origin.script = ({ method }) => {
      if (method !== 'POST') return undefined;
      const body = new ReadableStream({
        pull(controller) {
          sent += 16_384;
          if (sent > 200_000_000) controller.close();
          else controller.enqueue(new Uint8Array(16_384).fill(0x76));
        },
      });
      return new Response(body, { status: 201, headers: { 'Content-Type': 'application/sdp' } });
    };
    await pulling(`whep:${origin.url}`, async (edge) => {
      await failing(edge, /larger than 65536 bytes/);
      assert.ok(sent < 100_000_000, `${sent} bytes were taken`);
    });
  });
});

test('what does not answer, or never connects, is given up after its time, and does not hold up the end', async () => {
  await withOrigin(async (silent) => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    silent.script = () => held.then(() => new Response(null, { status: 503 }));
    await withOrigin(async (slow) => {
      slow.script = ({ method }) =>
        method === 'POST' ? new Response(new ReadableStream(), { status: 201 }) : undefined;
      await withOrigin(async (unreachable) => {
        const never = { acceptAnswer: () => new Promise<void>(() => {}) };
        await Promise.all([
          pulling(`whep:${silent.url}`, async (edge) => {
            await eventually('a reason', () => /in time/.test(edge.pull().last_error ?? ''), 20_000);
          }),
          pulling(`whep:${slow.url}`, async (edge) => {
            await eventually('a reason', () => /in time/.test(edge.pull().last_error ?? ''), 20_000);
          }),
          pulling(
            `whep:${unreachable.url}`,
            async (edge) => {
              await eventually('a reason', () => /not connected/.test(edge.pull().last_error ?? ''), 20_000);
            },
            never,
          ),
        ]);
        // Closing in the middle of an attempt.
        const began = performance.now();
        await pulling(`whep:${silent.url}`, async () => {
          const before = silent.seen.length;
          await eventually('a request', () => silent.seen.length > before);
        });
        assert.ok(performance.now() - began < 9_000, 'closed before the request would have been given up');
        // Deno's server waits for its handlers.
        release();
      });
    });
  });
});

test('redirects are followed, and credentials stay with the server they are for', async () => {
  await withOrigin(async (other) => {
    await withOrigin(async (origin) => {
      origin.script = (_request, { path }) => {
        if (path === '/whep/near') return new Response(null, { status: 307, headers: { Location: 'cam1' } });
        if (path === '/whep/far') return new Response(null, { status: 308, headers: { Location: other.url } });
        if (path === '/whep/round') return new Response(null, { status: 307, headers: { Location: 'round' } });
        if (path === '/whep/away') return new Response(null, { status: 307, headers: { Location: 'ftp://x/' } });
        return undefined;
      };
      const followOrigins = [new URL(other.url).origin];
      const at = (name: string) => ({
        whep: { url: origin.url.replace('cam1', name), token: 'secret', followOrigins },
      });
      await pulling(at('near'), playing);
      assert.equal(
        origin.seen.map(({ method, path, authorization }) => [
          method,
          path.replace(/cam1\/.+/, 'cam1/ID'),
          authorization,
        ]),
        [
          ['POST', '/whep/near', 'Bearer secret'],
          ['POST', '/whep/cam1', 'Bearer secret'],
          ['DELETE', '/whep/cam1/ID', 'Bearer secret'],
        ],
      );
      await pulling(at('far'), playing);
      assert.equal(
        other.seen.map(({ method, authorization }) => [method, authorization]),
        [
          ['POST', null],
          ['DELETE', null],
        ],
      );
      await pulling(at('round'), (edge) => failing(edge, /redirects more than 5 times/));
      await pulling(at('away'), (edge) => failing(edge, /leads to nowhere/));
    });
  });
});

test('credentials of the URL are sent as Basic', async () => {
  await withOrigin(async (origin) => {
    await pulling(`whep:${origin.url.replace('//', '//me:p%40ss@')}`, playing);
    assert.is(origin.seen[0]?.authorization, `Basic ${btoa('me:p@ss')}`);
  });
});

test('a 201 without Location plays all the same', async () => {
  await withOrigin(async (origin) => {
    origin.script = async (request, { body }) => {
      const response = await origin.real(request, body);
      const headers = new Headers(response.headers);
      headers.delete('location');
      return new Response(response.body, { status: response.status, headers });
    };
    await pulling(`whep:${origin.url}`, playing);
    assert.equal(origin.methods(), ['POST']);
  });
});

test('a server that is not there is told apart from one that refuses', async () => {
  const origin = await Origin.start();
  await origin.close();
  await pulling(`whep:${origin.url}`, (edge) => failing(edge, /refuses the connection/));
  await pulling('whep:http://nowhere.invalid/whep/x', (edge) => failing(edge, /cannot be (resolved|reached)/));
});

test.run();

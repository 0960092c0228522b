import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, type Server, type ServerOptions } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { FakeEngine, type Script } from '../support/fake-engine.ts';
import { LISTENERS } from '../support/listen.ts';
import { withLogs } from '../support/logs.ts';
import { Origin } from '../support/origin.ts';

const test = suite('whep source');

interface Edge {
  server: Server;
  engine: FakeEngine;
  pull(): NonNullable<ReturnType<Server['snapshot']>['streams'][string]['pull']>;
}

type SourceOptions = NonNullable<ServerOptions['streams']>[string];

/** Runs a server that pulls `source` as its stream `relay`. */
async function pulling(
  source: SourceOptions,
  use: (edge: Edge) => Promise<unknown>,
  script: Script = {},
): Promise<void> {
  const engine = new FakeEngine(script);
  const server = await createServer({ engine, streams: { relay: source } });
  const pull = () => {
    const found = server.snapshot().streams.relay?.pull;
    if (found === undefined) throw new Error('the stream is not pulled');
    return found;
  };
  try {
    await use({ server, engine, pull });
  } finally {
    await server.close();
  }
}

async function withOrigin(use: (origin: Origin) => Promise<void>, options: ServerOptions = {}): Promise<void> {
  const origin = await Origin.start(options);
  try {
    await use(origin);
  } finally {
    await origin.close();
  }
}

function playing({ pull }: Edge): Promise<true> {
  return eventually('the state playing', () => pull().state === 'playing');
}

function failing({ pull }: Edge, why: RegExp): Promise<true> {
  return eventually(`the reason ${why}, not ${pull().last_error}`, () => why.test(pull().last_error ?? ''));
}

test('plays what the other server has, and leaves when it is closed', async () => {
  await withOrigin(async (origin) => {
    await pulling(`whep:${origin.url}`, async (edge) => {
      await playing(edge);
      assert.equal(edge.pull(), { state: 'playing', restarts: 0, last_error: undefined, hops: 1 });
      const [{ answer = '', legs } = {}] = [...edge.engine.pulls.values()];
      assert.equal(legs, ['video', 'audio']);
      assert.match(answer, /a=candidate:1 1 UDP 2122317823 127\.0\.0\.1 50000 typ host/);
      const [post] = origin.seen;
      assert.equal([post?.method, post?.path, post?.type], ['POST', '/whep/cam1', 'application/sdp']);
      assert.is(origin.engine.peers.size, 1);
    });
    assert.equal(origin.methods(), ['POST', 'DELETE']);
    assert.is(origin.engine.peers.size, 0);
  });
});

test('the offer asks for H264 in every profile and for stereo, and names loopback for a server on this machine', async () => {
  await withOrigin(async (origin) => {
    await pulling(`whep:${origin.url}`, playing);
    const offer = origin.seen[0]?.body ?? '';
    for (const profile of ['42e01f', '42001f', '4d001f', '640c1f', '64001f']) {
      assert.match(offer, new RegExp(`packetization-mode=1;profile-level-id=${profile}`));
    }
    assert.match(offer, /a=fmtp:111 .*stereo=1/);
    assert.match(offer, /a=rtcp-fb:96 nack pli\r\n/);
    assert.match(offer, /a=candidate:.* 127\.0\.0\.1 \d+ typ host/);
    assert.match(offer, /a=group:BUNDLE 0 1\r\n/);
    assert.not.match(offer, /rtx/);
    assert.equal([...offer.matchAll(/a=(recvonly|setup:active|rtcp-mux|rtcp-rsize)\r\n/g)].length, 8);
  });
});

test('a leg that the other server has not is not asked for again, nor offered to viewers as there', async () => {
  const origin = await Origin.start({ streams: { cam1: 'rtp:5004' } });
  origin.engine.leg('cam1', 'video', true);
  await pulling(`whep:${origin.url}`, async (edge) => {
    await playing(edge);
    assert.equal([...edge.engine.pulls.values()][0]?.legs, ['video']);
  });
  await origin.close();
});

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
    ['garbage', () => 'hello', /answer is invalid: .*invalid SDP/],
    ['nothing', () => '', /answer is invalid/],
    ['a foreign payload type', (sdp) => sdp.replaceAll(/\b96\b/g, '77'), /payload type 77 was not offered/],
    ['another codec', (sdp) => sdp.replace('H264/90000', 'VP8/90000'), /payload type 96 is not H264/],
    ['sendrecv', (sdp) => sdp.replaceAll('a=sendonly', 'a=sendrecv'), /must be sendonly/],
    ['no direction', (sdp) => sdp.replaceAll('a=sendonly\r\n', ''), /must be sendonly/],
    ['one line less', (sdp) => sdp.slice(0, sdp.indexOf('m=audio')), /has 1 m-lines, the offer 2/],
    ['no fingerprint', (sdp) => sdp.replaceAll(/a=fingerprint:.*\r\n/g, ''), /no usable fingerprint/],
    ['no DTLS role', (sdp) => sdp.replaceAll('a=setup:passive', 'a=setup:actpass'), /choose a DTLS role/],
    ['no SSRC', (sdp) => sdp.replaceAll(/a=ssrc:.*\r\n/g, ''), /names no SSRC/],
    ['one SSRC for both', (sdp) => sdp.replaceAll(/a=ssrc:\d+/g, 'a=ssrc:7'), /two m-lines have one SSRC/],
    ['another mid', (sdp) => sdp.replace('a=mid:0', 'a=mid:x'), /has mid x, and was offered as 0/],
    ['no group', (sdp) => sdp.replace(/a=group:.*\r\n/, ''), /outside the BUNDLE group/],
    ['all rejected', (sdp) => sdp.replaceAll(/^m=(\w+) 9 /gm, 'm=$1 0 '), /accepts neither/],
  ];
  await withOrigin(async (origin) => {
    for (const [what, change, why] of cases) {
      origin.seen.length = 0;
      origin.script = (request, { method, body }) =>
        method === 'POST' ? changed(origin, request, body, change) : undefined;
      await pulling(`whep:${origin.url}`, async (edge) => {
        await failing(edge, why);
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
      const at = (name: string) => ({ whep: { url: origin.url.replace('cam1', name), token: 'secret' } });
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
      await pulling(at('away'), (edge) => failing(edge, /redirects to nowhere/));
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

test('a session that ends is followed by another one', async () => {
  await withOrigin(async (origin) => {
    await pulling(`whep:${origin.url}`, async (edge) => {
      await playing(edge);
      const [first] = edge.engine.pulls.keys();
      edge.engine.emit({ type: 'session-ended', session: first ?? '', reason: 'closed-by-peer' });
      await eventually('the next session', () => edge.pull().state === 'playing' && edge.pull().restarts === 1);
      assert.match(edge.pull().last_error ?? '', /the other server ended the session/);
      assert.equal([edge.engine.pulls.size, edge.engine.pulls.has(first ?? '')], [1, false]);
      assert.equal(origin.methods(), ['POST', 'DELETE', 'POST']);
    });
  });
});

test('when nothing comes, the other server is asked whether it still has the session', async () => {
  await withOrigin(async (origin) => {
    await pulling(`whep:${origin.url}`, async (edge) => {
      await playing(edge);
      // Seen to flow before it falls silent.
      await eventually('a look', () => edge.server.snapshot().active_streams === 1);
      for (const leg of ['video', 'audio'] as const) edge.engine.leg('relay', leg, false);
      await eventually('two questions', () => origin.methods().filter((each) => each === 'PATCH').length >= 2);
      assert.equal([edge.pull().state, edge.pull().restarts], ['playing', 0], 'it is still there');
      assert.is(origin.seen.at(-1)?.type, 'application/trickle-ice-sdpfrag');

      // Killed and started again, it knows nothing of the session.
      origin.script = (_request, { method }) => (method === 'PATCH' ? new Response(null, { status: 404 }) : undefined);
      await eventually('the next session', () => edge.pull().state === 'playing' && edge.pull().restarts === 1);
      assert.match(edge.pull().last_error ?? '', /nothing comes any more/);
    });
  });
});

test('a server that is not there is told apart from one that refuses', async () => {
  const origin = await Origin.start();
  await origin.close();
  await pulling(`whep:${origin.url}`, (edge) => failing(edge, /refuses the connection/));
  await pulling('whep:http://nowhere.invalid/whep/x', (edge) => failing(edge, /cannot be (resolved|reached)/));
});

test('a loop is seen before it turns', async () => {
  const engine = new FakeEngine();
  const server = await createServer({ engine });
  const [[, listen]] = LISTENERS as [(typeof LISTENERS)[number]];
  const listener = await listen(server.fetch);
  try {
    await server.streams.add('a', `whep:${listener.origin}/whep/b`);
    await server.streams.add('b', `whep:${listener.origin}/whep/a`);
    const error = (id: string) => server.snapshot().streams[id]?.pull?.last_error ?? '';
    await eventually('nothing to pull', () => /409/.test(error('a')) && /409/.test(error('b')));
    // As when an origin is gone, and its name leads to one of its edges while that still has something to send.
    engine.leg('a', 'video', true);
    await eventually('b to get a', () => server.snapshot().streams.b?.pull?.state === 'playing');
    assert.is(server.snapshot().streams.b?.pull?.hops, 1);
    await eventually('the loop', () => /which is a loop/.test(error('a')));
    assert.equal([...engine.pulls.values()].filter(({ answer }) => answer !== undefined).length, 1);
    await eventually('no viewer but b', () => server.snapshot().active_peers === 1);
  } finally {
    await server.close();
    await listener.close();
  }
});

test('secrets are in no log, no state and no description', async () => {
  await withLogs(async (messages) => {
    await withOrigin(async (origin) => {
      const url = `${origin.url.replace('//', '//me:pw1@')}?key=pw2`;
      origin.script = () => new Response(null, { status: 401 });
      await pulling(`whep:${url}`, async (edge) => {
        await failing(edge, /refuses the credentials/);
        assert.not.match(JSON.stringify(edge.server.snapshot()), /pw1|pw2/);
      });
      await origin.close();
      await pulling({ whep: { url: `${origin.url}?key=pw2`, token: 'pw3' } }, (edge) => failing(edge, /connection/));
      assert.ok(
        messages.some((each) => each.includes('whep:http://***@127.0.0.1')),
        messages.join('\n'),
      );
      assert.not.match(messages.join('\n'), /pw1|pw2|pw3/);
    });
  }, 'debug');
});

test('what is no source is refused with its cure', async () => {
  const refused = async (source: unknown, why: RegExp) => {
    try {
      await createServer({ engine: new FakeEngine(), streams: { relay: source as SourceOptions } });
    } catch (error) {
      return assert.match(error instanceof Error ? error.message : '', why);
    }
    throw new Error(`${JSON.stringify(source)} was accepted`);
  };
  await refused('whep:ftp://x/y', /give the http:\/\/ or https:\/\/ URL of a WHEP endpoint/);
  await refused('whep:', /write rtp:/);
  await refused({ whep: { url: 'http://a@b/c', token: 'x' } }, /relay\.whep\.token: .*not both/);
  await refused({ whep: { url: 'http://b/c', legs: ['video', 'video'] } }, /relay\.whep\.legs: name each leg once/);
  await refused({ whep: { url: 'http://b/c', token: 'a b' } }, /printable ASCII/);
});

test.run();

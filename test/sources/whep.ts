import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { LISTENERS } from '../support/listen.ts';
import { withLogs } from '../support/logs.ts';
import { Origin } from '../support/origin.ts';
import { failing, playing, pulling, type SourceOptions, withOrigin } from '../support/pulling.ts';

const test = suite('whep source');

test('plays what the other server has, and leaves when it is closed', async () => {
  await withOrigin(async (origin) => {
    await pulling(`whep:${origin.url}`, async (edge) => {
      await playing(edge);
      assert.equal(edge.pull(), { state: 'playing', restarts: 0, last_error: undefined, hops: 1 });
      const [{ answer = '', legs } = {}] = [...edge.engine.pulls.values()];
      assert.equal(
        legs?.map(({ kind, codec }) => [kind, codec]),
        [
          ['video', 'h264'],
          ['audio', 'opus'],
        ],
      );
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
    assert.match(offer, /a=fmtp:\d+ .*;stereo=1/);
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
    assert.equal([...edge.engine.pulls.values()][0]?.legs, [{ kind: 'video', codec: 'h264' }]);
  });
  await origin.close();
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

import * as assert from 'uvu/assert';
import { type Client, FRAGMENT, PUBLISH, type Reply, SDP } from './client.ts';
import type { Row } from './row.ts';

const DRAFT = { conformance: 'draft' } as const;
const ICE = { iceServers: [{ urls: 'stun:stun.test:3478' }] };
const LINK = '<stun:stun.test:3478>; rel="ice-server"';
const TAKEOVER = { streams: { over: { whip: { takeover: true } } } } as const;
const LEGS = { streams: { sound: { whip: { legs: ['audio'] } } } } as const;

const [, UFRAG = ''] = /a=ice-ufrag:(.*)\r/.exec(PUBLISH) ?? [];
const [, PWD = ''] = /a=ice-pwd:(.*)\r/.exec(PUBLISH) ?? [];

function fragment(ufrag = UFRAG, pwd = PWD): string {
  return `a=ice-ufrag:${ufrag}\r\na=ice-pwd:${pwd}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n`;
}

/** What RFC 9725 asks of a publisher's session, beyond `whip`. The numbers are those of the standards' rows. */
export const publish: Row[] = [
  {
    name: 'WHIP: an offer that receives or does nothing is 400 (I3)',
    needs: 'publish',
    run: async (client) => {
      for (const direction of ['recvonly', 'inactive']) {
        const reply = await post(client, '/whip/pub', PUBLISH.replaceAll('a=sendonly', `a=${direction}`));
        assert.equal([reply.status, /sendonly or sendrecv/.test(reply.text)], [400, true], direction);
      }
    },
  },
  {
    name: 'WHIP: the answer receives, and is passive for who offers to be active or either (I3, I6)',
    needs: 'publish',
    run: async (client) => {
      for (const [setup, expected] of [
        ['actpass', /^a=setup:passive$/m],
        ['active', /^a=setup:passive$/m],
        ['passive', /^a=setup:active$/m],
      ] as const) {
        const reply = await post(client, '/whip/pub', PUBLISH.replaceAll('a=setup:actpass', `a=setup:${setup}`));
        assert.is(reply.status, 201, reply.text);
        assert.match(reply.text, /^a=recvonly$/m);
        assert.not.match(reply.text, /^a=(sendonly|sendrecv|inactive)/m);
        assert.match(reply.text, expected, setup);
        assert.is(new Set(reply.text.match(/^a=setup:.*$/gm)).size, 1, setup);
        await client.leave();
      }
    },
  },
  {
    name: 'WHIP: ICE servers come with the 201 and a plain OPTIONS, not with a preflight, and no extension does (I8-I10, I24)',
    needs: 'publish',
    options: ICE,
    run: async (client) => {
      assert.is((await post(client, '/whip/pub')).headers.get('link'), LINK);
      assert.is((await client.send('OPTIONS', '/whip/pub')).headers.get('link'), LINK);
      const headers = { Origin: 'https://page.test', 'Access-Control-Request-Method': 'POST' };
      assert.is((await client.send('OPTIONS', '/whip/pub', { headers })).headers.get('link'), null);
    },
  },
  {
    name: 'WHIP: GET and HEAD of an endpoint are 200 without content, of a session 204 (I12, I13)',
    needs: 'publish',
    run: async (client) => {
      for (const method of ['GET', 'HEAD']) {
        const reply = await client.send(method, '/whip/pub');
        assert.equal([reply.status, reply.text, reply.headers.get('content-type')], [200, '', 'application/sdp']);
      }
      const { headers } = await post(client, '/whip/pub');
      assert.is((await client.send('GET', headers.get('location') ?? '')).status, 204);
    },
  },
  {
    name: 'WHIP: PATCH of another type is 415, a malformed one 400, a wrong tag 412, a restart 422 (I16-I20)',
    needs: 'publish',
    run: async (client) => {
      const { headers } = await post(client, '/whip/pub');
      const patch = patcher(client, headers.get('location') ?? '');
      const other = await patch('x', { 'Content-Type': 'text/plain' });
      assert.equal([other.status, other.headers.get('accept-patch')], [415, FRAGMENT['Content-Type']]);
      assert.is((await patch('hello')).status, 400);
      assert.is((await patch(fragment(UFRAG, `${PWD}x`))).status, 400, 'half a restart');
      assert.is((await patch(fragment(), { 'If-Match': '"other"' })).status, 412);
      const restart = fragment('abcd', 'abcdefghijklmnopqrstuvwx');
      assert.is((await patch(restart, { 'If-Match': '*' })).status, 422);
      // The session goes on as it was.
      const same = await patch(fragment(), { 'If-Match': headers.get('etag') ?? '' });
      assert.equal([same.status, same.text, same.headers.get('etag')], [204, '', null]);
    },
  },
  {
    name: 'WHIP: in draft conformance a PATCH needs If-Match (I18)',
    needs: 'publish',
    options: DRAFT,
    run: async (client) => {
      const { headers } = await post(client, '/whip/pub');
      const patch = patcher(client, headers.get('location') ?? '');
      assert.is((await patch(fragment())).status, 428);
      assert.is((await patch(fragment(), { 'If-Match': headers.get('etag') ?? '' })).status, 204);
    },
  },
  {
    name: 'WHIP: DELETE ignores entity tags (I22)',
    needs: 'publish',
    run: async (client) => {
      const location = (await post(client, '/whip/pub')).headers.get('location') ?? '';
      assert.is((await client.send('DELETE', location, { headers: { 'If-Match': '"other"' } })).status, 200);
    },
  },
  {
    name: 'WHIP: a simulcast offer is taken with one layer, and the answer says nothing of layers (I27)',
    needs: 'publish',
    run: async (client) => {
      const layers = ['a=rid:hi send', 'a=rid:lo send', 'a=simulcast:send hi;lo'].join('\r\n');
      const offer = `${PUBLISH.slice(0, PUBLISH.lastIndexOf('\r\n'))}\r\n${layers}\r\n`;
      const reply = await post(client, '/whip/pub', offer);
      assert.is(reply.status, 201, reply.text);
      assert.not.match(reply.text, /^a=(rid|simulcast)/m);
    },
  },
  {
    name: 'WHIP: a track that the stream has no leg for is 422 (I5)',
    needs: 'publish',
    options: LEGS,
    run: async (client) => {
      const reply = await post(client, '/whip/sound');
      assert.equal([reply.status, reply.text], [422, 'webrtc: unsupported offer: this stream takes no video']);
      const [audio = ''] = PUBLISH.replace('BUNDLE 0 1', 'BUNDLE 0').split('m=video');
      assert.is((await post(client, '/whip/sound', audio)).status, 201);
    },
  },
  {
    name: 'WHIP: with takeover a second publisher replaces the first, whose session is over (I15)',
    needs: 'publish',
    options: TAKEOVER,
    run: async (client) => {
      const ended = 'whep_sessions_ended_total{reason="replaced"}';
      const before = await client.metric(ended);
      const first = (await post(client, '/whip/over')).headers.get('location') ?? '';
      const second = await post(client, '/whip/over');
      assert.is(second.status, 201, second.text);
      assert.is((await client.send('DELETE', first)).status, 404);
      assert.is((await client.stats()).active_publishers, 1);
      assert.is(await client.metric(ended), before + 1);
      assert.is((await post(client, '/whip/over', 'v=0\r\n')).status, 400, 'an offer that is refused replaces nobody');
      assert.is((await client.send('DELETE', second.headers.get('location') ?? '')).status, 200);
    },
  },
  {
    name: 'WHIP: of many at once that take over, one is left',
    needs: 'publish',
    options: TAKEOVER,
    run: async (client) => {
      const replies = await Promise.all(Array.from({ length: 8 }, () => post(client, '/whip/over')));
      for (const { status } of replies) assert.ok(status === 201 || status === 409, `${status}`);
      assert.is((await client.stats()).streams.over?.publishers, 1);
      const ended = await Promise.all(
        replies
          .filter(({ status }) => status === 201)
          .map(({ headers }) => client.send('DELETE', headers.get('location') ?? '')),
      );
      assert.is(ended.filter(({ status }) => status === 200).length, 1);
    },
  },
];

function post(client: Client, path: string, body = PUBLISH): Promise<Reply> {
  return client.send('POST', path, { headers: SDP, body });
}

function patcher(client: Client, path: string) {
  return (body: string, headers: Record<string, string> = {}): Promise<Reply> =>
    client.send('PATCH', path, { headers: { ...FRAGMENT, ...headers }, body });
}

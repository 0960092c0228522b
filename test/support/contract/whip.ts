import * as assert from 'uvu/assert';
import { edit } from '../exchange.ts';
import { type Client, FRAGMENT, PUBLISH, type Reply, SDP, WATCH } from './client.ts';
import type { Row } from './row.ts';

/** `/whip/:id`. */
export const whip: Row[] = [
  {
    name: 'WHIP: a missing id is 400, an unknown stream 404, a stream for no publisher 409',
    run: async (client) => {
      assert.is((await post(client, '/whip/')).text, 'missing stream id');
      assert.equal([(await post(client, '/whip/')).status, (await post(client, '/whip/unknown')).status], [400, 404]);
      assert.is((await post(client, '/whip/live')).status, 409);
      assert.is((await post(client, '/whip')).status, 404);
    },
  },
  {
    name: 'WHIP: checks come in the order of the contract',
    needs: 'publish',
    options: { publishToken: 'secret-token' },
    run: async (client) => {
      const headers = { Authorization: 'Bearer secret-token' };
      const status = async (path: string, init?: RequestInit) => (await client.send('POST', path, init)).status;
      assert.is(await status('/whip/'), 400, 'a missing id before authorization');
      assert.is(await status('/whip/unknown'), 401, 'authorization before the stream');
      assert.is(await status('/whip/unknown', { headers }), 404, 'the stream before the type');
      assert.is(await status('/whip/live', { headers }), 409, 'who may publish before the type');
      assert.is(await status('/whip/pub', { headers, body: 'x'.repeat(200_000) }), 415, 'the type before the size');
      const large = { headers: { ...SDP, ...headers }, body: 'x'.repeat(200_000) };
      assert.is(await status('/whip/pub', large), 413, 'the size before the form');
      assert.is((await client.send('DELETE', '/whip/pub/')).text, 'missing resource id');
      assert.is((await client.send('DELETE', '/whip/pub/unknown')).status, 404);
    },
  },
  {
    name: 'WHIP: another type is 415, an empty or unreadable offer 400',
    needs: 'publish',
    run: async (client) => {
      const typed = await client.send('POST', '/whip/pub', { headers: { 'Content-Type': 'text/plain' }, body: 'x' });
      assert.equal([typed.status, typed.headers.get('accept-post')], [415, 'application/sdp']);
      assert.is((await post(client, '/whip/pub', '')).text, 'webrtc: invalid SDP');
      assert.is((await post(client, '/whip/pub', edit(PUBLISH, 'a=fingerprint'))).status, 400);
      assert.is((await post(client, '/whip/pub', WATCH)).status, 400, 'recvonly');
    },
  },
  {
    name: 'WHIP: an offer that would be taken in part only is 422',
    needs: 'publish',
    run: async (client) => {
      const video = PUBLISH.slice(PUBLISH.indexOf('m=video'));
      const second = edit(PUBLISH, 'a=group', 'a=group:BUNDLE 0 1 2') + edit(video, 'a=mid', 'a=mid:2');
      const [, stream = ''] = /a=msid:(\S+) /.exec(PUBLISH) ?? [];
      const streams = PUBLISH.replace(`a=msid:${stream} `, 'a=msid:other ');
      const offers = { codec: PUBLISH.replaceAll(/(H264|VP8|VP9|AV1)\/90000/g, 'VP7/90000'), second, streams };
      for (const [what, offer] of Object.entries(offers)) {
        assert.is((await post(client, '/whip/pub', offer)).status, 422, what);
      }
    },
  },
  {
    name: 'WHIP: 201, 409 for a second publisher, DELETE 200, then 404',
    needs: 'publish',
    run: async (client) => {
      const reply = await post(client, '/whip/pub');
      assert.is(reply.status, 201);
      const location = reply.headers.get('location') ?? '';
      assert.match(location, /^\/whip\/pub\/[\w-]{22}$/);
      assert.is(reply.headers.get('etag'), `"${location.split('/').at(-1)}-1"`);
      assert.is((await post(client, '/whip/pub')).status, 409);
      assert.is((await client.stats()).active_publishers, 1);
      assert.is((await client.send('DELETE', location)).status, 200);
      assert.is((await client.send('DELETE', location)).status, 404);
      assert.is((await client.stats()).active_publishers, 0);
      assert.is((await post(client, '/whip/pub')).status, 201);
    },
  },
  {
    name: 'WHIP: trickle as for viewers, and no answers',
    needs: 'publish',
    run: async (client) => {
      const location = (await post(client, '/whip/pub')).headers.get('location') ?? '';
      const [, ufrag] = /a=ice-ufrag:(.*)\r/.exec(PUBLISH) ?? [];
      const [, pwd] = /a=ice-pwd:(.*)\r/.exec(PUBLISH) ?? [];
      const body = `a=ice-ufrag:${ufrag}\r\na=ice-pwd:${pwd}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n`;
      assert.is((await client.send('PATCH', location, { headers: FRAGMENT, body })).status, 204);
      assert.is((await client.send('PATCH', location, { headers: SDP, body })).status, 415);
    },
  },
  {
    name: 'WHIP: publishers take no viewer places, and what they publish can be watched',
    needs: 'publish',
    options: { maxViewers: 1 },
    run: async (client) => {
      await client.watch();
      assert.is((await post(client, '/whip/pub')).status, 201);
    },
  },
  {
    name: 'WHIP: what is published can be watched',
    needs: 'script',
    run: async (client) => {
      assert.is((await client.send('POST', '/whep/pub')).status, 409);
      assert.is((await post(client, '/whip/pub')).status, 201);
      await client.watch('/whep/pub');
    },
  },
];

function post(client: Client, path: string, body = PUBLISH): Promise<Reply> {
  return client.send('POST', path, { headers: SDP, body });
}

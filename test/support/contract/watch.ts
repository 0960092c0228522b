import * as assert from 'uvu/assert';
import { edit } from '../exchange.ts';
import { NEITHER } from './answer.ts';
import { type Reply, SDP, WATCH } from './client.ts';
import type { Row } from './row.ts';

const CAPPED = { maxViewers: 2, maxViewersPerStream: 1 };
const FULL = { maxViewers: 1 };

/** `POST /whep/:id`, up to the text of the offer, and the order of it all. */
export const watch: Row[] = [
  {
    name: '1: a POST without an id is 400',
    run: async (client) => {
      const reply = await client.send('POST', '/whep/', { headers: SDP, body: WATCH });
      assert.equal([reply.status, reply.text], [400, 'missing stream id']);
    },
  },
  {
    name: '1: /whep, unknown paths, impossible ids and malformed escapes are 404',
    run: async (client) => {
      const paths = ['/whep', '/nothing', '/whep/a/b/c', '/whep//live', '/whep/%zz', '/whep/%', '/whep/a%20b'];
      for (const path of [...paths, '/whep/%256Cive', `/whep/${'x'.repeat(129)}`, '/whep/l%C3%AFve', '/whep/a%2Fb']) {
        assert.is((await client.send('POST', path, { headers: SDP, body: WATCH })).status, 404, path);
      }
    },
  },
  {
    name: 'the id may be percent-encoded once, and a slash may follow it',
    run: async (client) => {
      for (const path of ['/whep/%6C%69ve', '/whep/live/', '/whep/live?x=/whep/nothing']) {
        assert.match((await client.watch(path)).location, /^\/whep\/live\/[\w-]{22}$/, path);
      }
    },
  },
  {
    name: '3: with the total cap reached a POST is 503, whatever the stream',
    options: FULL,
    run: async (client) => {
      await client.watch();
      const before = await client.metric('whep_cap_rejections_total{stream="",scope="global"}');
      for (const path of ['/whep/live', '/whep/unknown']) {
        const reply = await client.send('POST', path);
        assert.equal([reply.status, reply.text], [503, 'webrtc: peer cap reached'], path);
        retries(reply);
      }
      assert.is(await client.metric('whep_cap_rejections_total{stream="",scope="global"}'), before + 2);
    },
  },
  {
    name: '4: an unknown stream is 404, whatever the body',
    run: async (client) => {
      const reply = await client.send('POST', '/whep/unknown', { body: 'x' });
      assert.equal([reply.status, reply.text], [404, 'webrtc: stream not found']);
      assert.is((await client.send('POST', `/whep/${'x'.repeat(128)}`)).text, 'webrtc: stream not found');
      const discovered = async (length: number) => (await client.send('GET', `/whep/${'x'.repeat(length)}`)).status;
      assert.equal([await discovered(128), await discovered(129)], [200, 404]);
    },
  },
  {
    name: '5: a known stream that is not live is 409 with Retry-After, whatever the body',
    run: async (client) => {
      const reply = await client.send('POST', '/whep/idle', { body: 'x' });
      assert.is(reply.status, 409);
      retries(reply);
    },
  },
  {
    name: '6: with the cap of the stream reached a POST is 503, whatever the body',
    options: CAPPED,
    run: async (client) => {
      await client.watch();
      const series = 'whep_cap_rejections_total{stream="live",scope="stream"}';
      const before = await client.metric(series);
      const reply = await client.send('POST', '/whep/live', { body: 'x' });
      assert.equal([reply.status, reply.text], [503, 'webrtc: per-stream peer cap reached']);
      retries(reply);
      assert.is(await client.metric(series), before + 1);
    },
  },
  {
    name: '6: a place is free again after DELETE, and after a failure',
    options: CAPPED,
    run: async (client) => {
      for (let round = 0; round < 3; round++) {
        const { location } = await client.watch();
        assert.is((await client.send('POST', '/whep/live', { headers: SDP, body: WATCH })).status, 503);
        await client.send('DELETE', location);
        assert.is((await client.send('POST', '/whep/live', { headers: SDP, body: NEITHER })).status, 406);
      }
    },
  },
  {
    name: '7: another Content-Type is 415 with Accept-Post, whatever the body',
    run: async (client) => {
      for (const type of ['text/plain', 'application/json', 'application/sdpx', 'application/sdp-frag', '']) {
        const reply = await client.send('POST', '/whep/live', { headers: { 'Content-Type': type }, body: 'x' });
        assert.equal([reply.status, reply.headers.get('accept-post')], [415, 'application/sdp'], type);
      }
    },
  },
  {
    name: '7: parameters and case of the Content-Type do not matter, a Content-Encoding does',
    run: async (client) => {
      for (const type of ['Application/SDP', 'application/sdp; charset=utf-8', 'application/sdp ;x="y"']) {
        await client.watch('/whep/live', { headers: { 'Content-Type': type } });
      }
      for (const encoding of ['gzip', 'br', 'identity, gzip']) {
        const headers = { ...SDP, 'Content-Encoding': encoding };
        assert.is((await client.send('POST', '/whep/live', { headers, body: WATCH })).status, 415, encoding);
      }
    },
  },
  {
    name: '9: an empty body and one that does not begin with v= are 400',
    run: async (client) => {
      for (const body of ['', ' v=0', '\ufeffv=0', 'hello', '\r\nv=0\r\n', '{}']) {
        const reply = await client.send('POST', '/whep/live', { headers: SDP, body });
        assert.equal([reply.status, reply.text], [400, 'webrtc: invalid SDP'], body);
      }
    },
  },
  {
    name: 'checks come in the order of the contract',
    options: { ...CAPPED, token: 'secret-token' },
    run: async (client) => {
      const headers = { Authorization: 'Bearer secret-token' };
      const bearer = { headers };
      const status = async (path: string, init?: RequestInit) => (await client.send('POST', path, init)).status;
      assert.is(await status('/whep/idle', bearer), 409, 'liveness before the type');
      const session = await client.watch('/whep/live', { headers });
      assert.is(await status('/whep/'), 400, 'a missing id before authorization');
      assert.is(await status('/whep/unknown'), 401, 'authorization before the stream');
      assert.is(await status('/whep/live'), 401, 'authorization before the caps');
      assert.is(await status('/whep/unknown', bearer), 404, 'the stream before the type');
      assert.is(await status('/whep/live', bearer), 503, 'the cap of the stream before the type');
      await client.send('DELETE', session.location, bearer);
      assert.is(await status('/whep/live', { ...bearer, body: 'x'.repeat(200_000) }), 415, 'the type before the size');
      const offer = (body: string) => status('/whep/live', { headers: { ...SDP, ...headers }, body });
      assert.is(await offer('x'.repeat(200_000)), 413, 'the size before the form');
      assert.is(await offer(edit(NEITHER, 'a=rtcp-mux')), 400, 'the rules before the codecs');
    },
  },
];

function retries({ headers }: Reply): void {
  const seconds = Number(headers.get('retry-after'));
  assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 10, `Retry-After: ${seconds}`);
}

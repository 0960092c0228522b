import * as assert from 'uvu/assert';
import { edit } from '../exchange.ts';
import { type Client, FRAGMENT, WATCH } from './client.ts';
import type { Row } from './row.ts';

const CHECKS = { iceChecks: 'both' } as const;
const DRAFT = { conformance: 'draft' } as const;
const [, UFRAG = ''] = /a=ice-ufrag:(.*)\r/.exec(WATCH) ?? [];
const [, PWD = ''] = /a=ice-pwd:(.*)\r/.exec(WATCH) ?? [];
const CREDENTIALS = `a=ice-ufrag:${UFRAG}\r\na=ice-pwd:${PWD}\r\n`;
const CANDIDATE = 'candidate:1 1 UDP 2122252543 192.0.2.7 54321 typ host';

export function fragment(...candidates: string[]): string {
  const lines = candidates.map((candidate) => `a=${candidate}\r\n`).join('');
  return `${CREDENTIALS}m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n${lines}`;
}

/** PATCH and DELETE of `/whep/:id/:resource`. */
export const session: Row[] = [
  {
    name: 'PATCH of an unknown session, or under another stream or protocol, is 404, whatever the body',
    run: async (client) => {
      const { location } = await client.watch();
      const id = location.split('/').at(-1);
      for (const path of [
        '/whep/live/AAAAAAAAAAAAAAAAAAAAAA',
        `/whep/idle/${id}`,
        `/whep/x/${id}`,
        `/whip/live/${id}`,
      ]) {
        assert.is((await client.send('PATCH', path, { body: 'x' })).status, 404, path);
      }
    },
  },
  {
    name: 'PATCH with another type is 415 with Accept-Patch, with an answer 422',
    run: async (client) => {
      const { location } = await client.watch();
      for (const type of ['text/plain', 'application/trickle-ice-sdpfrag2']) {
        const reply = await client.send('PATCH', location, { headers: { 'Content-Type': type }, body: 'x' });
        assert.equal([reply.status, reply.headers.get('accept-patch')], [415, FRAGMENT['Content-Type']]);
      }
      const headers = { 'Content-Type': 'application/sdp' };
      assert.is((await client.send('PATCH', location, { headers, body: 'v=0\r\n' })).status, 422);
    },
  },
  {
    name: 'PATCH that cannot be read is 400, even when If-Match does not match',
    run: async (client) => {
      const { location } = await client.watch();
      for (const body of ['hello', `${CREDENTIALS}a=candidate:what\r\nm\r\n`, CREDENTIALS.replace(UFRAG, 'a b')]) {
        const reply = await patch(client, location, body, { 'If-Match': '"other"' });
        assert.is(reply.status, 400, body);
      }
    },
  },
  {
    name: 'PATCH whose If-Match names no current tag is 412; the tag, a list with it, * and "*" match',
    run: async (client) => {
      const { location, tag } = await client.watch();
      for (const value of [
        '"other"',
        `W/${tag}`,
        tag.slice(1, -1),
        '"a", "b"',
        '',
        '"a,*"',
        `"${tag.slice(1, -1)},"`,
      ]) {
        assert.is((await patch(client, location, fragment(), { 'If-Match': value })).status, 412, value);
      }
      for (const value of [tag, `"other", ${tag}`, `W/"a,b",${tag},"c"`, '*', '"*"']) {
        assert.is((await patch(client, location, fragment(), { 'If-Match': value })).status, 204, value);
      }
    },
  },
  {
    name: 'PATCH: checks come in the order of the contract',
    options: { ...DRAFT, token: 'secret-token' },
    run: async (client) => {
      const right = { Authorization: 'Bearer secret-token' };
      const wrong = { Authorization: 'Bearer wrong-token' };
      const { location } = await client.watch('/whep/live', { headers: right });
      const status = async (headers: Record<string, string>, body: string) =>
        (await client.send('PATCH', location, { headers, body })).status;
      const large = 'x'.repeat(16 * 1024 + 1);
      const other = { ...FRAGMENT, 'If-Match': '"other"' };
      const restart = fragment().replace(UFRAG, 'abcdef');
      assert.is(await status(wrong, large), 401, 'authorization before the type');
      assert.is(await status(right, large), 415, 'the type before the size');
      assert.is(await status(other, large), 413, 'the size before the form');
      assert.is(await status(other, 'x'), 400, 'the form before the precondition');
      assert.is(await status(other, restart), 412, 'the precondition before the generation');
      assert.is(await status(FRAGMENT, restart), 428, 'a missing precondition as well');
    },
  },
  {
    name: 'PATCH without If-Match: classic takes it',
    run: async (client) => {
      const { location } = await client.watch();
      const reply = await patch(client, location, fragment(CANDIDATE));
      assert.equal([reply.status, reply.text, reply.headers.get('etag')], [204, '', null]);
    },
  },
  {
    name: 'PATCH without If-Match: draft wants one and says so with 428',
    options: DRAFT,
    run: async (client) => {
      const { location, tag } = await client.watch();
      const reply = await patch(client, location, fragment(CANDIDATE));
      assert.is(reply.status, 428);
      assert.match(reply.text, /If-Match/);
      const taken = await patch(client, location, fragment(CANDIDATE), { 'If-Match': tag });
      assert.equal([taken.status, taken.headers.get('etag')], [204, null]);
    },
  },
  {
    name: 'PATCH that changes one credential is 400, one that changes both 422, and the session lives on',
    run: async (client) => {
      const { location } = await client.watch();
      const ufrag = fragment().replace(UFRAG, 'abcdef');
      const pwd = fragment().replace(PWD, 'abcdefghijklmnopqrstuvwx');
      assert.is((await patch(client, location, ufrag)).status, 400);
      assert.is((await patch(client, location, pwd)).status, 400);
      assert.is((await patch(client, location, ufrag.replace(PWD, 'abcdefghijklmnopqrstuvwx'))).status, 422);
      assert.is((await patch(client, location, fragment())).status, 204);
    },
  },
  {
    name: 'PATCH passes over candidates that are no use and takes the others',
    options: CHECKS,
    needs: 'script',
    run: async (client) => {
      const { location } = await client.watch();
      const body = fragment(
        'candidate:2 1 TCP 1518280447 192.0.2.7 9 typ host tcptype active',
        'candidate:3 1 UDP 2122252543 0a1b2c3d.local 54321 typ host',
        'candidate:4 1 DCCP 2122252543 192.0.2.7 54321 typ host',
        'candidate:5 1 UDP 4294967296 192.0.2.7 54321 typ host',
        'candidate:6 1 UDP 2122252543 192.0.2.7',
        'candidate',
        CANDIDATE,
      );
      assert.is((await patch(client, location, body)).status, 204);
      assert.equal(
        client.engine.candidates.map(({ mid, candidate }) => [mid, candidate]),
        [['0', CANDIDATE]],
      );
    },
  },
  {
    name: 'candidates of clients, in an offer or by PATCH, are read, and the engine gets none of them',
    needs: 'script',
    run: async (client) => {
      const { location } = await client.watch('/whep/live', {
        body: edit(WATCH, 'a=mid:0', 'a=mid:0', `a=${CANDIDATE}`),
      });
      assert.is((await patch(client, location, fragment(CANDIDATE.replace('54321', '54322')))).status, 204);
      assert.is((await patch(client, location, `${CREDENTIALS}a=candidate:what\r\nm\r\n`)).status, 400);
      assert.equal(client.engine.candidates, []);
      assert.not.match([...client.engine.peers.values()].at(-1)?.offer ?? '', /candidate/);
    },
  },
  {
    name: 'a candidate that comes again, in the offer or by PATCH, is used once',
    options: CHECKS,
    needs: 'script',
    run: async (client) => {
      const { location } = await client.watch('/whep/live', {
        body: edit(WATCH, 'a=mid:0', 'a=mid:0', `a=${CANDIDATE}`),
      });
      const other = CANDIDATE.replace('54321', '54322');
      for (const body of [fragment(CANDIDATE), fragment(other), fragment(other, CANDIDATE), fragment(other)]) {
        assert.is((await patch(client, location, body)).status, 204);
      }
      assert.equal(
        client.engine.candidates.map(({ candidate }) => candidate),
        [other],
      );
    },
  },
  {
    name: 'a session takes 100 remote candidates, repeats not counted, and passes over more',
    options: CHECKS,
    needs: 'script',
    run: async (client) => {
      const { location } = await client.watch();
      const offered = (WATCH.match(/^a=candidate:.* udp .*\d+\.\d+\.\d+\.\d+ /gim) ?? []).length;
      const candidate = (port: number) => `candidate:9 1 UDP 2122252543 192.0.2.7 ${port} typ host`;
      for (let batch = 0; batch < 12; batch++) {
        const ports = Array.from({ length: 10 }, (_, index) => 50_000 + batch * 10 + index);
        const body = fragment(...ports.map(candidate), ...ports.map(candidate));
        assert.is((await patch(client, location, body)).status, 204);
      }
      assert.is(client.engine.candidates.length, 100 - offered);
    },
  },
  {
    name: 'a candidate that comes again in a later fragment is passed over',
    options: CHECKS,
    needs: 'script',
    run: async (client) => {
      const { location } = await client.watch();
      const before = client.engine.candidates.length;
      for (let times = 0; times < 3; times++) {
        assert.is((await patch(client, location, fragment(CANDIDATE))).status, 204);
      }
      assert.is(client.engine.candidates.length, before + 1);
    },
  },
  {
    name: 'DELETE without a session id is 400',
    run: async (client) => {
      for (const path of ['/whep/live/', '/whep/unknown/']) {
        const reply = await client.send('DELETE', path);
        assert.equal([reply.status, reply.text], [400, 'missing resource id'], path);
      }
    },
  },
  {
    name: 'DELETE: classic: 204 whatever If-Match says, again 204, and 204 for what never was',
    run: async (client) => {
      const { location } = await client.watch();
      const peers = async () => (await client.stats()).active_peers;
      assert.is(await peers(), 1);
      const gone = await client.send('DELETE', location, { headers: { 'If-Match': '"other"' } });
      assert.equal([gone.status, gone.text], [204, '']);
      assert.is(await peers(), 0);
      assert.is((await client.send('DELETE', location)).status, 204);
      assert.is((await client.send('DELETE', '/whep/unknown/nothing')).status, 204);
      assert.is((await patch(client, location, fragment())).status, 404);
    },
  },
  {
    name: 'DELETE: draft: 200, then 404',
    options: DRAFT,
    run: async (client) => {
      const { location } = await client.watch();
      assert.is((await client.send('DELETE', location)).status, 200);
      assert.is((await client.send('DELETE', location)).status, 404);
    },
  },
  {
    name: 'DELETE under another stream, an unknown one or the other protocol ends nothing',
    run: async (client) => {
      const { location } = await client.watch();
      const id = location.split('/').at(-1);
      for (const path of [`/whep/idle/${id}`, `/whep/unknown/${id}`]) {
        assert.is((await client.send('DELETE', path)).status, 204, path);
      }
      assert.is((await client.send('DELETE', `/whip/live/${id}`)).status, 404);
      assert.is((await client.stats()).active_peers, 1);
    },
  },
];

function patch(client: Client, path: string, body: string, headers: Record<string, string> = {}) {
  return client.send('PATCH', path, { headers: { ...FRAGMENT, ...headers }, body });
}

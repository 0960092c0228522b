import * as assert from 'uvu/assert';
import type { Action } from '../../../src/index.ts';
import { FRAGMENT, SDP, WATCH } from './client.ts';
import type { Row } from './row.ts';
import { fragment } from './session.ts';

const TOKEN = { token: 'secret-token', publishToken: 'secret-token' };
const RIGHT = { Authorization: 'Bearer secret-token' };
const WRONG = { Authorization: 'Bearer wrong-token' };

const asked: { action: Action; stream: string | undefined }[] = [];
const decide = (request: Request, facts: { action: Action; stream: string | undefined }) => {
  asked.push(facts);
  if (facts.stream === 'idle') return new Response('not here', { status: 403, headers: { 'X-Reason': '1' } });
  return request.headers.get('authorization') === 'Bearer of-the-hook';
};
const HOOK = { authorize: { watch: decide, publish: decide } };
const FAILING = {
  authorize: {
    watch: () => {
      throw new Error('the database at db.internal is down');
    },
  },
};

/** Tokens and the authorize hook. */
export const auth: Row[] = [
  {
    name: '2: with a token, a POST without credentials is 401 with a bare challenge',
    options: TOKEN,
    run: async (client) => {
      for (const path of ['/whep/live', '/whep/unknown', '/whip/pub']) {
        const reply = await client.send('POST', path, { headers: SDP, body: WATCH });
        assert.equal([reply.status, reply.headers.get('www-authenticate')], [401, 'Bearer'], path);
      }
    },
  },
  {
    name: '2: a wrong token, or another scheme, is 401 with invalid_token',
    options: TOKEN,
    run: async (client) => {
      for (const value of ['Bearer wrong', 'secret-token', 'Basic secret-token', 'Bearer', 'Bearer secret-token2']) {
        const reply = await client.send('POST', '/whep/live', { headers: { Authorization: value } });
        const challenge = reply.headers.get('www-authenticate');
        assert.equal([reply.status, challenge], [401, 'Bearer error="invalid_token"'], value);
        assert.not(reply.text.includes('secret-token'));
      }
    },
  },
  {
    name: '2: the right token lets in, however Bearer is written',
    options: TOKEN,
    run: async (client) => {
      for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
        await client.watch('/whep/live', { headers: { Authorization: `${scheme} secret-token` } });
      }
    },
  },
  {
    name: 'PATCH and DELETE need no token, but a wrong one is refused, and changes nothing',
    options: TOKEN,
    run: async (client) => {
      const { location } = await client.watch('/whep/live', { headers: RIGHT });
      const send = async (headers: Record<string, string>) =>
        (await client.send('PATCH', location, { headers: { ...FRAGMENT, ...headers }, body: fragment() })).status;
      assert.equal([await send(WRONG), await send(RIGHT), await send({})], [401, 204, 204]);
      assert.is((await client.send('PATCH', '/whep/live/unknown', { headers: WRONG, body: 'x' })).status, 404);
      assert.is((await client.send('DELETE', location, { headers: WRONG })).status, 401);
      assert.is((await client.stats()).active_peers, 1);
      assert.is((await client.send('DELETE', location)).status, 204);
      assert.is((await client.stats()).active_peers, 0);
    },
  },
  {
    name: '2: the hook refuses: 401 without credentials, 403 with, or what it answers itself',
    needs: 'hook',
    options: HOOK,
    run: async (client) => {
      const none = await client.send('POST', '/whep/live', { headers: SDP, body: WATCH });
      assert.equal([none.status, none.headers.get('www-authenticate')], [401, 'Bearer']);
      const wrong = await client.send('POST', '/whep/live', { headers: { ...SDP, ...WRONG }, body: WATCH });
      const challenge = wrong.headers.get('www-authenticate');
      assert.equal([wrong.status, challenge], [403, 'Bearer error="insufficient_scope"']);
      const own = await client.send('POST', '/whep/idle', { headers: SDP, body: WATCH });
      assert.equal([own.status, own.text, own.headers.get('x-reason')], [403, 'not here', '1']);
    },
  },
  {
    name: 'the hook is told the action and the stream, and true lets in',
    needs: 'hook',
    options: HOOK,
    run: async (client) => {
      asked.length = 0;
      const headers = { Authorization: 'Bearer of-the-hook' };
      const { location } = await client.watch('/whep/live', { headers });
      await client.send('POST', '/whip/pub', { headers, body: 'x' });
      await client.send('PATCH', location, { headers: { ...FRAGMENT, ...headers }, body: fragment() });
      await client.send('PATCH', location, { headers: FRAGMENT, body: fragment() });
      assert.equal(
        asked.map(({ action, stream }) => `${action} ${stream}`),
        ['watch live', 'publish pub', 'watch live'],
      );
    },
  },
  {
    name: 'the hook may refuse PATCH and DELETE of who sends credentials, and nothing is done then',
    needs: 'hook',
    options: HOOK,
    run: async (client) => {
      const { location } = await client.watch('/whep/live', { headers: { Authorization: 'Bearer of-the-hook' } });
      const trickled = await client.send('PATCH', location, { headers: { ...FRAGMENT, ...WRONG }, body: fragment() });
      assert.equal([trickled.status, (await client.send('DELETE', location, { headers: WRONG })).status], [403, 403]);
      assert.is((await client.send('POST', `${location}/events`, { headers: WRONG })).status, 403);
      assert.is((await client.stats()).active_peers, 1);
    },
  },
  {
    name: 'a hook that fails is a bare 500',
    needs: 'hook',
    options: FAILING,
    run: async (client) => {
      const reply = await client.send('POST', '/whep/live', { headers: { ...SDP, ...RIGHT }, body: WATCH });
      assert.equal([reply.status, reply.text], [500, 'internal error']);
    },
  },
];

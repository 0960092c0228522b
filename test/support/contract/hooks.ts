import * as assert from 'uvu/assert';
import type { ServerOptions } from '../../../src/index.ts';
import { type Client, type Reply, SDP, WATCH } from './client.ts';
import type { Row } from './row.ts';

/** What hooks of programs in plain JavaScript answer, whatever their types say. */
const NO_VERDICTS: Record<string, unknown> = { undefined: undefined, null: null, 1: 1, true: 'true', list: [true] };
const UNSENDABLE: Record<string, () => unknown> = {
  'read already': () => {
    const response = new Response('once');
    void response.text();
    return response;
  },
  'no response': () => Response.error(),
};
const ASKED = 'x-answer';
const AUTHORIZE: ServerOptions = {
  authorize: {
    watch: (request) => {
      const name = request.headers.get(ASKED) ?? '';
      return (UNSENDABLE[name]?.() ?? NO_VERDICTS[name]) as boolean;
    },
  },
};

const NO_SERVERS: Record<string, unknown> = {
  nothing: undefined,
  'no list': { urls: 'stun:stun.test' },
  'no URI': [{ urls: 'http://stun.test' }],
  'a line break': [{ urls: 'turn:turn.test', username: 'a\r\nSet-Cookie: b', credential: 'c' }],
  'TURN without credentials': [{ urls: 'turn:turn.test' }],
};
const ICE: ServerOptions = {
  maxViewers: 1,
  iceServers: async (request) => {
    const name = request.headers.get(ASKED);
    if (name === 'failure') throw new Error('the database at db.internal is down');
    return (name === null ? [] : NO_SERVERS[name]) as [];
  },
};

const KEYS: Record<string, unknown> = { promise: Promise.resolve('me'), number: 7, nothing: undefined };
const RATE: ServerOptions = {
  rateLimit: {
    perSecond: 0.1,
    burst: 2,
    key: (request) => {
      const name = request.headers.get(ASKED) ?? '';
      return (name in KEYS ? KEYS[name] : name) as string;
    },
  },
};

/** Hooks of the program around the server that fail or answer nonsense. */
export const hooks: Row[] = [
  {
    name: '2: a hook that answers neither true, false nor a Response lets nobody in',
    needs: 'hook',
    options: AUTHORIZE,
    run: async (client) => {
      for (const name of Object.keys(NO_VERDICTS)) {
        assert.is((await post(client, name)).status, 401, name);
        assert.is((await post(client, name, { Authorization: 'Bearer x' })).status, 403, name);
      }
    },
  },
  {
    name: '2: a Response of the hook that cannot be sent is a bare 500',
    needs: 'hook',
    options: AUTHORIZE,
    run: async (client) => {
      for (const name of Object.keys(UNSENDABLE)) bare(await post(client, name), name);
    },
  },
  {
    name: 'an iceServers hook that fails or answers nonsense is a bare 500 and takes no place',
    needs: 'hook',
    options: ICE,
    run: async (client) => {
      for (const name of [...Object.keys(NO_SERVERS), 'failure']) {
        bare(await post(client, name), name);
        bare(await client.send('OPTIONS', '/whep/live', { headers: { [ASKED]: name } }), name);
      }
      assert.is((await client.stats()).active_peers, 0);
      await client.watch();
    },
  },
  {
    name: 'a rate limit whose key is no text is a bare 500, not a limit that is none',
    needs: 'hook',
    options: RATE,
    run: async (client) => {
      for (const name of Object.keys(KEYS)) bare(await post(client, name), name);
    },
  },
  {
    name: 'clients with keys of more than 256 characters count as one',
    needs: 'hook',
    options: RATE,
    run: async (client) => {
      const status = async (key: string) =>
        (await client.send('POST', '/whep/unknown', { headers: { [ASKED]: key } })).status;
      const long = (tail: string) => 'x'.repeat(257 - tail.length) + tail;
      const fits = long('a').slice(1);
      assert.equal([await status(fits), await status(fits), await status(fits)], [404, 404, 429]);
      await status(long('a'));
      await status(long('b'));
      assert.is(await status(long('c')), 429);
    },
  },
];

function post(client: Client, answer: string, headers: Record<string, string> = {}): Promise<Reply> {
  return client.send('POST', '/whep/live', { headers: { ...SDP, [ASKED]: answer, ...headers }, body: WATCH });
}

function bare({ status, text }: Reply, what: string): void {
  assert.equal([status, text], [500, 'internal error'], what);
}

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client, FRAGMENT, PUBLISH, SDP, WATCH } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

const runtime = currentRuntime();
const test = suite(`the log of a ${runtime} process with the native engine`);
const TOKEN = 'token-of-viewers';
const ADMIN = 'token-of-admins';

function passwordOf(sdp: string): string {
  const [, password] = /a=ice-pwd:(.*)\r/.exec(sdp) ?? [];
  if (password === undefined) throw new Error('the SDP has no password');
  return password;
}

test('at its most talkative it names no token, no password of ICE and no whole session id', async () => {
  const streams = ['--stream', 'live=clip', '--stream', 'pub=whip'];
  const options = ['--admin-token', ADMIN, '--log-level', 'trace', ...streams];
  const server = await startServer(runtime, options, { FETCH_WHEP_TOKEN: TOKEN });
  const secrets = [TOKEN, ADMIN, 'guessed-by-someone', passwordOf(WATCH), passwordOf(PUBLISH)];
  try {
    await server.live();
    const client = new Client({ fetch: (request) => fetch(request), origin: server.url, close: async () => {} });
    const headers = { ...SDP, Authorization: `Bearer ${TOKEN}` };
    for (const [path, body] of [
      ['/whep/live', WATCH],
      ['/whip/pub', PUBLISH],
    ] as const) {
      const { location, reply } = await client.watch(path, { headers, body });
      secrets.push(location.split('/').at(-1) ?? '', passwordOf(reply.text));
      const own = body === WATCH ? fragment('candidate:1 1 UDP 2122252543 127.0.0.1 54321 typ host') : 'nonsense';
      await client.send('PATCH', location, { headers: FRAGMENT, body: own });
      await client.send('POST', path, { headers: { Authorization: 'Bearer guessed-by-someone' } });
    }
    await client.send('GET', '/api/sessions', { headers: { Authorization: `Bearer ${ADMIN}` } });
    await client.leave();
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
  const log = server.child.stdout + server.child.stderr;
  assert.match(log, 'POST whep 201');
  for (const secret of secrets) assert.not(log.includes(secret), secret);
});

test.run();

import { createSocket } from 'node:dgram';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client, FRAGMENT, PUBLISH, SDP, WATCH } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { eventually } from '../support/eventually.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

const runtime = currentRuntime();
const test = suite(`the log of a ${runtime} process with the native engine`);
const TOKEN = 'token-of-viewers';
const ADMIN = 'token-of-admins';
/** What the statistics call a forged request. */
const REFUSED = 'wrong-password';

function passwordOf(sdp: string): string {
  const [, password] = /a=ice-pwd:(.*)\r/.exec(sdp) ?? [];
  if (password === undefined) throw new Error('the SDP has no password');
  return password;
}

/** A STUN binding request (RFC 8489 §5 and §14) whose integrity no password gives. */
function forged(username: string): Uint8Array {
  const name = Buffer.from(username);
  const integrity = 24 + Math.ceil(name.length / 4) * 4;
  const message = Buffer.alloc(integrity + 24);
  message.writeUInt16BE(0x0001);
  message.writeUInt16BE(message.length - 20, 2);
  message.writeUInt32BE(0x2112_a442, 4);
  message.writeUInt16BE(0x0006, 20);
  message.writeUInt16BE(name.length, 22);
  name.copy(message, 24);
  message.writeUInt16BE(0x0008, integrity);
  message.writeUInt16BE(20, integrity + 2);
  return message;
}

/** Sends it to the server's first candidate until it is counted as refused. */
async function forge(offer: string, answer: string, refused: () => Promise<number>): Promise<void> {
  const [local, remote] = [answer, offer].map((sdp) => /a=ice-ufrag:(.*)\r/.exec(sdp)?.[1]);
  const port = Number(/a=candidate:\S+ 1 UDP \d+ \S+ (\d+) typ host/i.exec(answer)?.[1]);
  const socket = createSocket('udp4');
  const before = await refused();
  try {
    await eventually('the refusal of a forged request', async () => {
      socket.send(forged(`${local}:${remote}`), port, '127.0.0.1');
      return (await refused()) > before;
    });
  } finally {
    socket.close();
  }
}

test('at its most talkative it names no token, no password of ICE and no whole session id', async () => {
  const streams = ['--stream', 'live=clip', '--stream', 'pub=whip'];
  const options = ['--admin-token', ADMIN, '--open', 'observe', '--log-level', 'trace', ...streams];
  const tokens = { FETCH_WHEP_TOKEN: TOKEN, FETCH_WHEP_PUBLISH_TOKEN: TOKEN };
  const server = await startServer(runtime, options, { ...tokens, FETCH_WHEP_RTC_LOG: 'verbose' });
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
      await forge(body, reply.text, async () => (await server.stats()).refused[REFUSED] ?? 0);
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

import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, type Server } from '../../src/index.ts';
import { WATCH } from '../support/contract/client.ts';
import { eventually } from '../support/eventually.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { LISTENERS, type Listener } from '../support/listen.ts';

/** What a client library would hide or mend: bytes on a socket, and the bytes that come back. */
for (const [name, listen] of LISTENERS) {
  const test = suite(`raw HTTP through ${name}`);
  let server: Server;
  let listening: Listener;

  test.before(async () => {
    const options = { streams: { live: 'clip' }, bodyTimeoutSeconds: 0.5, token: 'secret-token' };
    server = await createServer({ engine: new FakeEngine(), ...options });
    listening = await listen(server.fetch);
  });
  test.after(async () => {
    await server.close();
    await listening.close();
  });

  const post = (headers: string[], body: string) =>
    exchange(
      listening.port,
      ['POST /whep/live HTTP/1.1', 'Host: x', 'Authorization: Bearer secret-token', ...headers],
      body,
    );

  test('a chunked offer is read, and the answer comes with its length, not in chunks', async () => {
    const chunks = [WATCH.slice(0, 10), WATCH.slice(10, 2000), WATCH.slice(2000)];
    const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
    const reply = await post(['Content-Type: application/sdp', 'Transfer-Encoding: chunked'], `${body}0\r\n\r\n`);
    assert.is(reply.status, 201, reply.body);
    assert.is(reply.headers.get('content-length'), String(reply.body.length));
    assert.is(reply.headers.get('transfer-encoding'), undefined);
    assert.ok(reply.body.startsWith('v=0\r\n'));
  });

  test('the case of header names does not matter', async () => {
    const reply = await exchange(
      listening.port,
      [
        'POST /whep/live HTTP/1.1',
        'hOST: x',
        'AUTHORIZATION: bearer secret-token',
        'content-TYPE: APPLICATION/SDP',
        `CONTENT-length: ${WATCH.length}`,
      ],
      WATCH,
    );
    assert.is(reply.status, 201, reply.body);
  });

  test('a body shorter than its Content-Length is 400 once time is up', async () => {
    const reply = await post(['Content-Type: application/sdp', `Content-Length: ${WATCH.length + 10}`], WATCH);
    assert.is(reply.status, 400);
    assert.match(reply.body, 'read body: ');
    assert.is(reply.headers.get('access-control-allow-origin'), '*');
  });

  test('a body longer than its Content-Length is cut there', async () => {
    const reply = await post(['Content-Type: application/sdp', 'Content-Length: 3'], WATCH);
    assert.is(reply.status, 400);
  });

  test('chunks beyond 128 KiB are 413 while they come', async () => {
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const reply = await post(['Content-Type: application/sdp', 'Transfer-Encoding: chunked'], chunk.repeat(12));
    assert.is(reply.status, 413);
  });

  test('a Host that makes no URL is refused, and the server goes on', async () => {
    for (const host of ['a b', '[', ']:x', 'x:99999999', '%zz', '@', '']) {
      const reply = await exchange(listening.port, ['GET /healthz HTTP/1.1', `Host: ${host}`], '');
      assert.ok(reply.status === 200 || (reply.status >= 400 && reply.status < 500), `"${host}": ${reply.status}`);
    }
    assert.is((await exchange(listening.port, ['GET /healthz HTTP/1.1', 'Host: x'], '')).status, 200);
  });

  test('a HEAD has the headers of a GET and no body', async () => {
    const reply = await exchange(listening.port, ['HEAD /whep/live HTTP/1.1', 'Host: x'], '');
    assert.equal([reply.status, reply.body], [200, '']);
    assert.is(reply.headers.get('content-type'), 'application/sdp');
  });

  test('a 204 has no body', async () => {
    const reply = await exchange(listening.port, ['DELETE /whep/live/unknown HTTP/1.1', 'Host: x'], '');
    assert.equal([reply.status, reply.body], [204, '']);
  });

  test('an absolute request target and odd paths are answered', async () => {
    for (const target of ['http://x/healthz', '/healthz?a=%zz', '//healthz', '/%', '/whep/%c3%28']) {
      const { status } = await exchange(listening.port, [`GET ${target} HTTP/1.1`, 'Host: x'], '');
      assert.ok(status >= 200 && status < 500, `${target}: ${status}`);
    }
  });

  test.run();
}

const test = suite('what a listener tells of its clients');
const [[, listen] = []] = LISTENERS;
if (listen === undefined) throw new Error('there is no listener');

test('the rate limit tells clients apart by the address of their socket', async () => {
  const server = await createServer({ engine: new FakeEngine(), rateLimit: { perSecond: 0.01, burst: 1 } });
  const { port, close } = await listen(server.fetch);
  const status = async (address: string) =>
    (await exchange(port, ['POST /whep/unknown HTTP/1.1', 'Host: x', 'Content-Length: 0'], '', address)).status;
  assert.equal([await status('127.0.0.1'), await status('127.0.0.1')], [404, 429]);
  assert.equal([await status('127.0.0.2'), await status('127.0.0.2')], [404, 429]);
  await server.close();
  await close();
});

/** Deno does not always notice; there the session ends when the engine's time is up, after 10 s. */
test('a client that hangs up while its session is set up leaves no session behind', async () => {
  const engine = new FakeEngine({ addPeer: () => new Promise(() => {}) });
  const server = await createServer({ engine, streams: { live: 'clip' } });
  const { port, close } = await listen(server.fetch);
  const socket = connect(port, '127.0.0.1');
  const head = ['POST /whep/live HTTP/1.1', 'Host: x', 'Content-Type: application/sdp'];
  socket.write(`${head.join('\r\n')}\r\nContent-Length: ${WATCH.length}\r\n\r\n${WATCH}`);
  await eventually('the session is set up', () => [...server.sessions].length === 1);
  socket.destroy();
  await eventually('the session is gone', () => [...server.sessions].length === 0, 12_000);
  await server.close();
  await close();
});

test.run();

interface Reply {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/** Sends the head and body as they are, and reads until the server has answered and closed. */
function exchange(port: number, head: string[], body: string, localAddress = '127.0.0.1'): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    let text = '';
    socket.setEncoding('utf8').on('data', (data) => {
      text += data;
      // Servers that close late: what Content-Length promises is enough.
      const reply = read(text);
      const length = Number(reply?.headers.get('content-length') ?? Number.NaN);
      if (reply && (reply.body.length >= length || reply.status === 204 || head[0]?.startsWith('HEAD')))
        socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      const reply = read(text);
      if (reply) resolve(reply);
      else reject(new Error(`no response to ${head[0]}: "${text}"`));
    });
    socket.write(`${[...head, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`);
  });
}

function read(text: string): Reply | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(' ')[1]), headers: new Map(headers), body: text.slice(end + 4) };
}

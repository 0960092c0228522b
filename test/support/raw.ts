import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ServerOptions } from '../../src/index.ts';
import { checkAnswer } from './answer-rules.ts';
import { WATCH } from './contract/client.ts';
import { eventually } from './eventually.ts';
import { STREAM } from './exchange.ts';
import { exchange, type RawReply } from './raw-exchange.ts';

export interface Listening {
  port: number;
  close(): Promise<void>;
}

/** What a client library would hide or mend: bytes on a socket, and the bytes that come back. */
export function rawHttp(name: string, boot: (options: ServerOptions) => Promise<Listening>): void {
  const test = suite(`raw HTTP, ${name}`);
  let server: Listening;

  test.before(async () => {
    server = await boot({
      streams: { live: 'clip' },
      bodyTimeoutSeconds: 0.5,
      token: 'secret-token',
      open: ['observe'],
    });
    const live = async () => /"active_streams":1/.test((await send('GET /webrtc/stats HTTP/1.1')).body);
    await eventually('the clip plays', live);
  });
  test.after(() => server.close());

  const send = (line: string, headers: string[] = ['Host: x'], body = '') =>
    exchange(server.port, [line, ...headers], body);
  const post = (headers: string[], body: string, version = '1.1') =>
    send(`POST /whep/live HTTP/${version}`, ['Host: x', 'Authorization: Bearer secret-token', ...headers], body);
  /** Status of what a runtime's parser may hang up on as well, after which the server goes on. */
  const survives = async (line: string, headers?: string[], body?: string) => {
    const status = await send(line, headers, body).then(
      (reply) => reply.status,
      () => 'hung up',
    );
    assert.is((await send('GET /healthz HTTP/1.1')).status, 200, `after ${line.slice(0, 80)}`);
    return status;
  };
  const joined = (reply: RawReply) => {
    assert.is(reply.status, 201, reply.body);
    assert.equal(checkAnswer(WATCH, reply.body, STREAM), []);
    assert.is(reply.headers.get('content-length'), String(reply.body.length));
    assert.is(reply.headers.get('transfer-encoding'), undefined);
  };
  const sized = ['Content-Type: application/sdp', `Content-Length: ${WATCH.length}`];

  test('a chunked offer is read, and the answer comes with its length, not in chunks', async () => {
    const chunks = [WATCH.slice(0, 10), WATCH.slice(10, 2000), WATCH.slice(2000)];
    const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
    joined(await post(['Content-Type: application/sdp', 'Transfer-Encoding: chunked'], `${body}0\r\n\r\n`));
  });

  test('the case of header names does not matter', async () => {
    const headers = ['hOST: x', 'AUTHORIZATION: bearer secret-token', 'content-TYPE: APPLICATION/SDP'];
    joined(await send('POST /whep/live HTTP/1.1', [...headers, `CONTENT-length: ${WATCH.length}`], WATCH));
  });

  test('a client that expects 100-continue, and one of HTTP/1.0, are answered', async () => {
    joined(await post([...sized, 'Expect: 100-continue'], WATCH));
    joined(await post(sized, WATCH, '1.0'));
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

  test('chunks beyond 32 KiB are 413 while they come', async () => {
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const reply = await post(['Content-Type: application/sdp', 'Transfer-Encoding: chunked'], chunk.repeat(12));
    assert.is(reply.status, 413);
  });

  test('a Host that makes no URL is refused, and the server goes on', async () => {
    for (const host of ['a b', '[', ']:x', 'x:99999999', '%zz', '@', '']) {
      const { status } = await send('GET /healthz HTTP/1.1', [`Host: ${host}`]);
      assert.ok(status === 200 || (status >= 400 && status < 500), `"${host}": ${status}`);
    }
    assert.is((await send('GET /healthz HTTP/1.1')).status, 200);
  });

  test('a HEAD has the headers of a GET and no body', async () => {
    const reply = await send('HEAD /whep/live HTTP/1.1');
    assert.equal([reply.status, reply.body], [200, '']);
    assert.is(reply.headers.get('content-type'), 'application/sdp');
  });

  test('a 204 has no body', async () => {
    const reply = await send('DELETE /whep/live/unknown HTTP/1.1');
    assert.equal([reply.status, reply.body], [204, '']);
  });

  test('an absolute request target and odd paths are answered', async () => {
    for (const target of ['http://x/healthz', '/healthz?a=%zz', '//healthz', '/%', '/whep/%c3%28']) {
      const { status } = await send(`GET ${target} HTTP/1.1`);
      assert.ok(status >= 200 && status < 500, `${target}: ${status}`);
    }
    assert.is((await send(`GET /whep/${'x'.repeat(6000)} HTTP/1.1`)).status, 404);
  });

  test('paths without end, odd methods and headers that contradict each other are survived', async () => {
    const chunked = 'Transfer-Encoding: chunked';
    for (const [line, headers = [], body = ''] of [
      [`GET /whep/${'x'.repeat(200_000)} HTTP/1.1`],
      [`GET /${'/'.repeat(10_000)}x HTTP/1.1`],
      ['TRACE /whep/live HTTP/1.1'],
      ['NONSENSE /whep/live HTTP/1.1'],
      ['CONNECT /whep/live HTTP/1.1'],
      ['OPTIONS * HTTP/1.1'],
      ['POST /whep/live HTTP/1.1', ['Content-Length: 3', 'Content-Length: 4'], 'v=0\n'],
      ['POST /whep/live HTTP/1.1', ['Content-Length: 3', chunked], '4\r\nv=0\n\r\n0\r\n\r\n'],
      ['POST /whep/live HTTP/1.1', ['Content-Length: -1'], 'v=0'],
      ['POST /whep/live HTTP/1.1', [chunked], 'zz\r\nv=0\r\n'],
      ['POST /whep/live HTTP/1.1', ['Content-Type: a/b', 'Content-Type: application/sdp', 'Content-Length: 0']],
      ['POST /whep/live HTTP/1.1', ['Authorization: Bearer a', 'Authorization: Bearer b', 'Content-Length: 0']],
      ['GET /healthz HTTP/1.1', [`X: ${'y'.repeat(100_000)}`]],
    ] as const) {
      const status = await survives(line, ['Host: x', ...headers], body);
      // 501 is for methods and codings that a server does not know (RFC 9110 §15.6.2).
      assert.ok(typeof status === 'string' || status < 500 || status === 501, `${line.slice(0, 80)}: ${status}`);
    }
  });

  test.run();
}

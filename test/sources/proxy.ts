import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fenced } from '../../src/sources/ffmpeg/fence.ts';
import { openProxy, outsideProxy } from '../../src/sources/ffmpeg/proxy.ts';
import { film } from '../support/film.ts';

const test = suite('the proxy between FFmpeg and the Internet');

/** A port of this machine that counts who comes. */
async function withPort(use: (port: number, visits: () => number) => Promise<void>): Promise<void> {
  let visits = 0;
  const server = createServer((socket) => {
    visits++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use((server.address() as AddressInfo).port, () => visits);
  } finally {
    server.close();
  }
}

/** What the proxy answers to a request. */
function exchange(proxy: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(new URL(proxy).port), '127.0.0.1', () => socket.write(request));
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more;
    });
    socket.on('error', reject).on('close', () => resolve(text));
  });
}

test('it connects to no address of this machine or of a private network, and to nothing that is none', async () => {
  const proxy = await outsideProxy();
  assert.is(await outsideProxy(), proxy, 'there is one');
  await withPort(async (port, visits) => {
    const hosts = ['127.0.0.1', 'localhost', '[::1]', '0x7f.1', '[::ffff:127.0.0.1]', '0.0.0.0'];
    const requests = [
      ...hosts.flatMap((host) => [`CONNECT ${host}:${port} HTTP/1.1`, `GET http://${host}:${port}/x HTTP/1.1`]),
      ...[
        `GET /x HTTP/1.1`,
        `GET ftp://127.0.0.1:${port}/ HTTP/1.1`,
        'CONNECT HTTP/1.1',
        'x',
        '',
        'GET http://nowhere.invalid/ HTTP/1.1',
      ],
    ];
    for (const line of requests) {
      assert.match(await exchange(proxy, `${line}\r\nHost: x\r\n\r\n`), /^HTTP\/1\.1 403 /, line);
    }
    assert.match(await exchange(proxy, 'x'.repeat(20_000)), /^HTTP\/1\.1 403 /);
    assert.is(visits(), 0);
  });
});

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that is meant to be on the Internet, under the name of `film.example`: its origin. */
async function withOutside(scheme: 'http' | 'https', answer: Answer, use: (origin: string) => Promise<void>) {
  const tls = { cert: readFileSync('test/support/tls/cert.pem'), key: readFileSync('test/support/tls/key.pem') };
  const server = scheme === 'http' ? createHttpServer(answer) : createHttpsServer(tls, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`${scheme}://film.example:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** What the real ffprobe finds there. */
async function probe(input: string, proxy: string): Promise<string> {
  const common = ['-v', 'error', '-show_entries', 'stream=codec_name', '-of', 'csv'];
  const args = [...common, ...(fenced({ input }, false).args ?? []), '-http_proxy', proxy, '-i', input];
  return promisify(execFile)('ffprobe', args).then(
    ({ stdout }) => stdout,
    () => 'failed',
  );
}

/** Answers with a film, a playlist or a redirect, which lead where `to` says. */
function answerWith(media: Uint8Array): Answer {
  return (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://film.example');
    const to = searchParams.get('to') ?? '/film.ts';
    const playlist = `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n${to}\n#EXT-X-ENDLIST\n`;
    if (pathname === '/redirect') response.writeHead(302, { Location: to }).end();
    else response.writeHead(200).end(pathname === '/list.m3u8' ? playlist : media);
  };
}

for (const scheme of ['http', 'https'] as const) {
  test(`${scheme}: FFmpeg reads through it, and neither a redirect nor a playlist leads it inside`, async () => {
    const answer = answerWith(await film());
    const proxy = await openProxy(async (host) => (host === 'film.example' ? ['127.0.0.1'] : []));
    const open = await openProxy(async () => ['127.0.0.1']);
    await withPort(async (port, visits) => {
      await withOutside(scheme, answer, async (origin) => {
        assert.match(await probe(`${origin}/film.ts`, proxy), 'stream,h264');
        assert.match(await probe(`${origin}/redirect`, proxy), 'stream,h264');
        assert.is(await probe(`${origin}/list.m3u8`, proxy), 'failed', 'a playlist, whatever it holds');
        for (const path of ['/redirect', '/list.m3u8']) {
          const schemes = ['http://127.0.0.1', 'http://localhost', 'http://0x7f.1', 'https://127.0.0.1'];
          const to = [...schemes, 'httpproxy://127.0.0.1'];
          const inputs = to.map((host) => `${origin}${path}?to=${encodeURIComponent(`${host}:${port}/film.ts`)}`);
          for (const input of inputs) await probe(input, proxy);
          assert.is(visits(), 0, path);
        }
        // So they would, if it let them.
        await probe(`${origin}/redirect?to=${encodeURIComponent(`http://127.0.0.1:${port}/film.ts`)}`, open);
        assert.ok(visits() > 0);
      });
    });
  });
}

test.run();

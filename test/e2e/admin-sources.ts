import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { adminAttacks } from '../support/admin-attacks.ts';
import { eventually } from '../support/eventually.ts';
import { withPrograms } from '../support/fake-programs.ts';
import { RUNTIMES } from '../support/runtimes.ts';
import { type RunningServer, startConfigured } from '../support/server.ts';

const test = suite('sources over HTTP as an attacker would write them, with the real FFmpeg');
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-admin-'));
const film = join(folder, 'film.ts');

test.before(() => {
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=64x64:rate=10'];
  const video = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-bf', '0', '-g', '10'];
  execFileSync('ffmpeg', ['-y', '-loglevel', 'error', ...picture, '-t', '4', ...video, film]);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

/** The real program, which notes that it ran, and in which environment. */
function noted(name: string): string {
  const path = execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
  return `env >>"$(dirname "$0")/ran"; exec ${path} "$@"`;
}

function ran(programs: string): string {
  const path = join(programs, 'ran');
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

async function put(server: RunningServer, id: string, source: unknown): Promise<Response> {
  const headers = { Authorization: 'Bearer admin', 'Content-Type': 'application/json' };
  return fetch(`${server.url}/api/streams/${id}`, { method: 'PUT', headers, body: JSON.stringify(source) });
}

/** Ports of this machine that count who comes. */
async function withPorts(
  use: (ports: { tcp: number; udp: number; visits: () => number }) => Promise<void>,
): Promise<void> {
  let visits = 0;
  const tcp = createServer((socket) => {
    visits++;
    socket.destroy();
  });
  const udp = createSocket('udp4', () => visits++);
  await new Promise<void>((resolve) => tcp.listen(0, '::', resolve));
  await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
  try {
    await use({ tcp: (tcp.address() as AddressInfo).port, udp: udp.address().port, visits: () => visits });
  } finally {
    tcp.close();
    udp.close();
  }
}

for (const runtime of RUNTIMES) {
  test(`${runtime}: no program is run, no file made, no port reached`, async () => {
    await withPrograms({ ffmpeg: noted('ffmpeg'), ffprobe: noted('ffprobe') }, async (programs) => {
      await withPorts(async ({ tcp, udp, visits }) => {
        const adminSources = ['rtp', 'whip', 'whep', 'push', 'clip', 'ffmpeg'] as const;
        const server = await startConfigured(runtime, { adminToken: 'admin', open: ['observe'], adminSources });
        try {
          const before = readdirSync(folder);
          const attacks = adminAttacks({ tcp, udp, secret: film, made: join(folder, 'made') });
          for (const attack of attacks) {
            const response = await put(server, 'x', attack);
            assert.is(response.status, 400, JSON.stringify(attack));
            assert.match(await response.text(), 'source');
          }
          assert.is((await put(server, 'x', 'clip')).status, 201);
          assert.equal([ran(programs), visits(), readdirSync(folder)], ['', 0, before]);
          assert.equal(await server.stop(), { code: 0, signal: null });
        } finally {
          server.child.kill('SIGKILL');
        }
      });
    });
  });
}

/** A site of the test's own on this machine. */
async function withSite(
  files: Record<string, string | Uint8Array>,
  use: (origin: string) => Promise<void>,
): Promise<void> {
  const site = createHttpServer((request, response) => {
    const file = files[request.url ?? ''];
    response.writeHead(file === undefined ? 404 : 200).end(file);
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(site.address() as AddressInfo).port}`);
  } finally {
    site.closeAllConnections();
    site.close();
  }
}

function playlist(segment: string): string {
  const lines = ['#EXTM3U', '#EXT-X-VERSION:3', '#EXT-X-TARGETDURATION:4', '#EXTINF:4,', segment, '#EXT-X-ENDLIST', ''];
  return lines.join('\n');
}

test('with "ffmpeg" and "private" a stream of the network plays, its playlist reads no file, and FFmpeg knows no token', async () => {
  await withPrograms({ ffmpeg: noted('ffmpeg'), ffprobe: noted('ffprobe') }, async (programs) => {
    const hostile = [`file:${film}`, `file://${film}`, film, `concat:${film}`, `subfile,,start,0,end,0,,:${film}`];
    const files = {
      '/film.ts': readFileSync(film),
      '/good.m3u8': playlist('film.ts'),
      ...Object.fromEntries(hostile.map((segment, index) => [`/${index}.m3u8`, playlist(segment)])),
    };
    await withSite(files, async (origin) => {
      const options = { adminToken: 'admin', open: ['observe'], adminSources: ['ffmpeg', 'private'] } as const;
      const server = await startConfigured('node', options, { FETCH_WHEP_TOKEN: 'hunter2' });
      try {
        const stream = async (id: string) => (await server.stats()).streams[id];
        assert.is((await put(server, 'good', `ffmpeg:${origin}/good.m3u8`)).status, 201);
        await eventually('the good one', async () => (await stream('good'))?.state === 'live', 30_000);
        await Promise.all(
          hostile.map(async (segment, index) => {
            assert.is((await put(server, `${index}`, `ffmpeg:${origin}/${index}.m3u8`)).status, 201);
            await eventually('a failure', async () => (await stream(`${index}`))?.ffmpeg?.last_error, 30_000);
            assert.is((await stream(`${index}`))?.packets.in, 0, segment);
          }),
        );
        assert.match(ran(programs), /^PATH=/m);
        assert.not.match(ran(programs), /FETCH_WHEP|hunter/);
        assert.equal(await server.stop(), { code: 0, signal: null });
      } finally {
        server.child.kill('SIGKILL');
      }
    });
  });
});

test.run();

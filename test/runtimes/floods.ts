import { connect } from 'node:net';
import { resolve } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, type ServerOptions } from '../../src/index.ts';
import { Clock } from '../support/clock.ts';
import { Client, FRAGMENT, SDP, WATCH } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { eventually } from '../support/eventually.ts';
import { residentBytes, udpSockets } from '../support/process.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { type RunningServer, startConfigured } from '../support/server.ts';

process.env.FETCH_WHEP_ADDON ??= resolve('dist/fetch-whep.node');

const runtime = currentRuntime();
const test = suite(`floods and what is left of them, a ${runtime} process with the native engine`);
const MIB = 1024 * 1024;

async function withServer(options: ServerOptions, use: (server: RunningServer, client: Client) => Promise<void>) {
  const server = await startConfigured(runtime, { streams: { live: 'clip' }, ...options });
  try {
    await server.live();
    await use(server, new Client({ fetch: (request) => fetch(request), origin: server.url, close: async () => {} }));
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
}

/** Sends a byte of an offer now and then until the server answers; the first line of what it says. */
function dribble(port: number): Promise<string> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    const head = [
      'POST /whep/live HTTP/1.1',
      'Host: localhost',
      'Content-Type: application/sdp',
      'Content-Length: 32768',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\nv=0\r\n`);
    const timer = setInterval(() => socket.write('x'), 200);
    let text = '';
    socket.on('data', (data) => {
      text += data;
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      done(text.split('\r\n')[0] ?? '');
    });
  });
}

test('200 clients that dribble their offers take no place, little memory, and nobody else his turn', async () => {
  await withServer({ maxViewers: 2, bodyTimeoutSeconds: 3 }, async (server, client) => {
    await client.watch();
    await client.leave();
    const before = residentBytes(server.child.pid);
    let peak = 0;
    let over = false;
    const slow = Promise.all(Array.from({ length: 200 }, () => dribble(Number(new URL(server.url).port))));
    void slow.then(() => {
      over = true;
    });
    let served = 0;
    while (!over) {
      await client.watch();
      await client.leave();
      served++;
      peak = Math.max(peak, residentBytes(server.child.pid) - before);
    }
    assert.equal([...new Set((await slow).map((line) => line.split(' ')[1]))], ['400']);
    assert.ok(served >= 3, `${served} viewers were served meanwhile`);
    // 200 whole bodies are 25 MiB.
    assert.ok(peak < 200 * MIB, `${(peak / MIB).toFixed(0)} MiB more at the peak`);
  });
});

test('1000 POSTs at once against 50 places: exactly 50 get in, and after all have left, 50 again', async () => {
  const server = await createServer({
    engine: 'native',
    mediaHost: '127.0.0.1',
    streams: { live: 'clip' },
    maxViewers: 50,
    maxViewersPerStream: 'none',
  });
  await eventually('the clip plays', () => server.streams.get('live')?.state === 'live');
  // Nobody connects: were it to pass, time would free places on a machine that is slow.
  const clock = new Clock();
  try {
    const client = new Client({ ...server, close: server.close });
    for (let round = 0; round < 2; round++) {
      const replies = await Promise.all(
        Array.from({ length: 1000 }, () => client.send('POST', '/whep/live', { headers: SDP, body: WATCH })),
      );
      const count = (status: number) => replies.filter((reply) => reply.status === status).length;
      assert.equal([count(201), count(503), [...server.sessions].length], [50, 950, 50]);
      await client.leave();
      assert.equal([...server.sessions], []);
    }
  } finally {
    clock.restore();
    await server.close();
  }
});

test('a session that never connects is gone after 15 s, 3 s either way, and leaves no socket', async () => {
  await withServer({ streams: { live: 'clip', cam: 'rtp:0,0' } }, async (server, client) => {
    const counted = async () => (await client.stats()).udp_ports_in_use;
    const before = udpSockets(server.child.pid);
    assert.is(await counted(), before, 'as the kernel counts them');
    const start = performance.now();
    const headers = SDP;
    const { status } = await client.send('POST', '/whep/live', { headers, body: WATCH });
    assert.is(status, 201);
    assert.is(await counted(), udpSockets(server.child.pid));
    await server.viewers(0, 25_000);
    const seconds = (performance.now() - start) / 1000;
    assert.ok(seconds >= 12 && seconds <= 18, `${seconds} s`);
    assert.is(await counted(), udpSockets(server.child.pid));
  });
});

test('a session that is trickled a flood of candidates answers each, and its memory stays bounded', async () => {
  await withServer({ iceChecks: 'both' }, async (server, client) => {
    const { location } = await client.watch();
    const patch = (at: number) => {
      const ports = Array.from({ length: 100 }, (_, port) => 1024 + ((at * 100 + port) % 60_000));
      const body = fragment(...ports.map((port) => `candidate:1 1 UDP 2122252543 127.0.0.1 ${port} typ host`));
      return client.send('PATCH', location, { headers: FRAGMENT, body });
    };
    await patch(0);
    const before = residentBytes(server.child.pid);
    for (let round = 0; round < 10; round++) {
      const replies = await Promise.all(Array.from({ length: 30 }, (_, at) => patch(round * 30 + at)));
      assert.ok(replies.every(({ status }) => status === 204));
    }
    const more = residentBytes(server.child.pid) - before;
    assert.ok(more < 100 * MIB, `${(more / MIB).toFixed(0)} MiB more`);
    await client.leave();
    await eventually('the session is gone', async () => (await client.stats()).active_peers === 0);
  });
});

test.run();

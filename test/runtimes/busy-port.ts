import { createSocket } from 'node:dgram';
import { resolve } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadAddon } from '../../src/engine/addon.ts';
import { sessionList } from '../../src/http/schemas.ts';
import { createServer } from '../../src/index.ts';
import { FRAGMENT, SDP, WATCH } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { eventually } from '../support/eventually.ts';
import { currentRuntime } from '../support/runtimes.ts';

process.env.FETCH_WHEP_ADDON ??= resolve('dist/fetch-whep.node');

/** See native/addon/src/hold.rs. */
interface Addon {
  holdPorts(): PortHold;
}

interface PortHold {
  ports(): number;
  release(): void;
}

const test = suite(`a UDP port whose lock is held, and the JavaScript thread of ${currentRuntime()}`);
/** Milliseconds. */
const HELD = 2_000;
/** Far more than a busy machine does to a loop, and far less than a hold lasts when nobody is left to release it. */
const STOPPED = 1_500;

/** Asks a server without a network between. */
function asker(fetch: (request: Request) => Promise<Response>) {
  return (method: string, path: string, init: RequestInit = {}) =>
    fetch(new Request(new URL(path, 'http://busy.test'), { ...init, method }));
}

/** The longest time that the event loop did not turn while `work` was done. Milliseconds. */
async function longestDelay(work: () => Promise<void>): Promise<number> {
  let last = performance.now();
  let longest = 0;
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(look, 5);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  look();
  return longest;
}

test('candidates, statistics, session list and snapshot go on while a port is held for two seconds', async () => {
  const server = await createServer({
    engine: 'native',
    mediaHost: '127.0.0.1',
    streams: { live: 'clip' },
    shards: 1,
    iceChecks: 'both',
    adminToken: 'token',
    open: ['watch', 'observe'],
  });
  const ask = asker(server.fetch);
  const socket = createSocket('udp4');
  let hold: PortHold | undefined;
  try {
    await eventually('the clip plays', () => server.streams.get('live')?.state === 'live');
    const joined = await ask('POST', '/whep/live', { headers: SDP, body: WATCH });
    assert.is(joined.status, 201);
    const location = joined.headers.get('location') ?? '';
    const [, port] = /^a=candidate:\S+ 1 UDP \d+ 127\.0\.0\.1 (\d+)/im.exec(await joined.text()) ?? [];
    assert.ok(port, 'the answer names a port');

    hold = loadAddon<Addon>().holdPorts();
    const held = hold;
    socket.send('?', Number(port), '127.0.0.1');
    await eventually('the port is held', () => held.ports() > 0);
    const trickled = [1, 2, 3].map((at) =>
      ask('PATCH', location, {
        headers: FRAGMENT,
        body: fragment(`candidate:1 1 UDP 2122252543 127.0.0.1 ${50_000 + at} typ host`),
      }),
    );
    const late = ask('POST', '/whep/live', { headers: SDP, body: WATCH });
    let looks = 0;
    const delay = await longestDelay(async () => {
      const start = performance.now();
      while (performance.now() - start < HELD) {
        const statistics = await ask('GET', '/webrtc/stats');
        const list = await ask('GET', '/api/sessions', { headers: { Authorization: 'Bearer token' } });
        assert.equal([statistics.status, list.status], [200, 200]);
        await statistics.text();
        sessionList.parse(await list.json());
        assert.is(server.snapshot().udp_ports_in_use, 1);
        assert.ok(held.ports() > 0, 'the port is still held');
        looks++;
        await new Promise((turn) => setTimeout(turn, 5));
      }
    });
    console.log(`${looks} looks in ${HELD} ms, the longest delay of the event loop ${delay.toFixed(1)} ms`);
    assert.ok(delay < STOPPED, `the event loop stood still for ${delay.toFixed(0)} ms`);
    held.release();
    for (const reply of await Promise.all(trickled)) assert.is(reply.status, 204);
    assert.is((await late).status, 201);
  } finally {
    hold?.release();
    socket.close();
    await server.close();
  }
});

test.run();

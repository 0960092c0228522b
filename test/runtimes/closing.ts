import { resolve } from 'node:path';
import process from 'node:process';
import { setImmediate } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, Failure } from '../../src/index.ts';
import { FRAGMENT, PUBLISH, SDP, WATCH } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { eventually } from '../support/eventually.ts';
import { currentRuntime } from '../support/runtimes.ts';

process.env.FETCH_WHEP_ADDON ??= resolve('dist/fetch-whep.node');

const test = suite(`close() in the middle of everything, ${currentRuntime()} with the native engine`);
/** Milliseconds; nothing here takes so long but what never ends. */
const DEADLINE = 30_000;

function inTime<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not settled after ${DEADLINE} ms`)), DEADLINE);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

const offer = { method: 'POST', headers: SDP };

/** Joins, publishes, adds and pulls of an origin until the server says that it closes; each promise settles. */
async function ask(server: Awaited<ReturnType<typeof createServer>>, origin: string, asked: () => void): Promise<void> {
  const send = (path: string, init: RequestInit) => server.fetch(new Request(new URL(path, 'http://end.test'), init));
  const isOver = (error: unknown) => error instanceof Failure && error.code === 'closing';
  for (let turn = 0; ; turn++) {
    asked();
    const joined = await send('/whep/live', { ...offer, body: WATCH });
    if (joined.status !== 201) {
      assert.is(joined.status, 503, await joined.text());
      return;
    }
    const location = joined.headers.get('location') ?? '';
    const body = fragment('candidate:1 1 UDP 2122252543 127.0.0.1 50001 typ host');
    const [trickled, published] = await Promise.all([
      send(location, { method: 'PATCH', headers: FRAGMENT, body }),
      send('/whip/studio', { ...offer, body: PUBLISH }),
    ]);
    // 404: its session has ended. 409: somebody else publishes.
    assert.ok([204, 404, 503].includes(trickled.status), `PATCH ${trickled.status}`);
    assert.ok([201, 409, 503].includes(published.status), `POST to WHIP ${published.status}`);
    const id = `stream-${crypto.randomUUID()}`;
    try {
      await server.streams.add(id, turn % 2 === 0 ? 'rtp:0,0' : `whep:${origin}`);
      await server.streams.remove(id);
    } catch (error) {
      assert.ok(isOver(error), String(error));
    }
  }
}

test('server.close() during joins, publishes, pulls and adds: every promise settles, a second close waits for the first', async () => {
  for (let moment = 0; moment < 24; moment++) {
    const server = await createServer({
      engine: 'native',
      mediaHost: '127.0.0.1',
      streams: { live: 'clip', studio: 'whip' },
      iceChecks: 'both',
      maxViewers: Number.POSITIVE_INFINITY,
      maxViewersPerStream: Number.POSITIVE_INFINITY,
    });
    await eventually('the clip plays', () => server.streams.get('live')?.state === 'live');
    let asked = () => {};
    let turns = 0;
    const begun = new Promise<void>((resolve) => {
      asked = () => {
        if (++turns > moment) resolve();
      };
    });
    // Nobody listens there: a pull tries for as long as its stream lives.
    const asking = Array.from({ length: 3 }, () => ask(server, 'http://127.0.0.1:9/whep/x', () => asked()));
    await begun;
    // The engine gets a request some turns of the event loop after it came.
    for (let turn = 0; turn < moment % 6; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    let first = false;
    const closed = server.close().then(() => {
      first = true;
    });
    await inTime('a second close()', server.close());
    assert.ok(first, 'the second ends after the first');
    await inTime('close()', closed);
    await inTime('whoever asked', Promise.all(asking));
    assert.is(server.snapshot().udp_ports_in_use, 0);
  }
});

test.run();

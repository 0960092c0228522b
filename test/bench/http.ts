/**
 * What the HTTP side costs on Node: POST+DELETE pairs with the scripted and the native engine, scrapes, sessions, offers.
 *
 *   scripts/bench http [--pairs 3000] [--at-once 8] [--streams 100]
 *
 * Pairs are sent from one thread, which is the one that serves them as well: called directly, or by HTTP to a process of
 * its own. Each series is warmed up by one that does not count.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { FakeEngine } from '../support/fake-engine.ts';
import { offerOf } from '../support/offers.ts';
import { startServer } from '../support/server.ts';

type Fetch = (request: Request) => Promise<Response>;

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '3000' },
    'at-once': { type: 'string', default: '8' },
    streams: { type: 'string', default: '100' },
  },
});
const WARM_UP = 500;
const pairs = Number(values.pairs);
const atOnce = Number(values['at-once']);
const count = Number(values.streams);

const { createServer }: typeof import('../../src/index.ts') = await import(
  new URL('../../dist/index.js', import.meta.url).href
);
setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');
const offer = offerOf('chromium-watch');
const open = { maxViewers: 100_000, maxViewersPerStream: 'none' } as const;

const results: Record<string, unknown> = {};
for (const [name, engine] of [
  ['fake', () => new FakeEngine()],
  ['native', () => 'native' as const],
] as const) {
  const server = await createServer({ engine: engine(), streams: { live: 'clip' }, mediaHost: '127.0.0.1', ...open });
  await until(() => server.streams.get('live')?.state === 'live');
  results[`pairs, ${name} engine, called directly`] = await load(server.fetch, 'http://bench');
  results[`offers, ${name} engine`] = await offers(server.fetch);
  await server.close();
  results[`scrape of ${count} streams, ${name} engine`] = await scrapes(engine());
}
const listening = await startServer('node', ['--max-viewers-per-stream', 'none', '--log-level', 'error']);
await listening.live();
results['pairs, native engine, by HTTP to a process'] = await load((request) => fetch(request), listening.url, 'demo');
await listening.stop();
results[`memory of 1000 sessions with offers of 32 KiB`] = await sessions();
console.log(JSON.stringify(results, undefined, 2));

async function load(fetch: Fetch, origin: string, stream = 'live') {
  await series(WARM_UP, () => pair(fetch, origin, stream));
  const start = performance.now();
  const done = await series(pairs, () => pair(fetch, origin, stream));
  const seconds = (performance.now() - start) / 1000;
  return {
    requestsPerSecond: Math.round((2 * done.length) / seconds),
    milliseconds: { post: spread(done.map(({ post }) => post)), pair: spread(done.map(({ pair }) => pair)) },
  };
}

/** Does it so often, `atOnce` times at once. */
async function series<T>(times: number, once: () => Promise<T>): Promise<T[]> {
  const done: T[] = [];
  let left = times;
  const worker = async () => {
    while (left-- > 0) done.push(await once());
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return done;
}

async function pair(fetch: Fetch, origin: string, stream: string): Promise<{ post: number; pair: number }> {
  const start = performance.now();
  const response = await post(fetch, `${origin}/whep/${stream}`, offer);
  const middle = performance.now();
  const location = new URL(response.headers.get('location') ?? '', origin);
  const gone = await fetch(new Request(location, { method: 'DELETE' }));
  if (gone.status !== 204) throw new Error(`DELETE: ${gone.status}`);
  return { post: middle - start, pair: performance.now() - start };
}

async function post(fetch: Fetch, url: string, body: string): Promise<Response> {
  const headers = { 'Content-Type': 'application/sdp' };
  const response = await fetch(new Request(url, { method: 'POST', headers, body }));
  const text = await response.text();
  if (response.status !== 201) throw new Error(`POST: ${response.status} ${text}`);
  return response;
}

/** How much longer the largest offers take than ordinary ones. */
async function offers(fetch: Fetch) {
  const most = 1000 - offer.trimEnd().split('\n').length;
  const filled = (line: string) =>
    offer + line.repeat(Math.min(most, Math.floor((32 * 1024 - offer.length) / line.length)));
  const milliseconds = async (body: string) => {
    const times: number[] = [];
    for (let round = 0; round < 100; round++) {
      const start = performance.now();
      const response = await post(fetch, 'http://bench/whep/live', body);
      times.push(performance.now() - start);
      await fetch(new Request(new URL(response.headers.get('location') ?? '', 'http://bench'), { method: 'DELETE' }));
    }
    return spread(times);
  };
  return {
    ordinary: await milliseconds(offer),
    'filled with a=x': await milliseconds(filled('a=x\r\n')),
    'filled with a=rtcp-fb': await milliseconds(filled('a=rtcp-fb:* nack\r\n')),
  };
}

/** Time and garbage of a scrape, and what is left after many. */
async function scrapes(engine: FakeEngine | 'native') {
  const streams = Object.fromEntries(Array.from({ length: count }, (_, index) => [`cam-${index}`, 'rtp:0,0'] as const));
  const server = await createServer({ engine, streams, mediaHost: '127.0.0.1' });
  const scrape = async (path: string) => (await server.fetch(new Request(`http://bench${path}`))).text();
  const milliseconds = { metrics: [] as number[], stats: [] as number[] };
  for (let round = 0; round < 20; round++) await scrape('/metrics');
  collect();
  const before = process.memoryUsage().heapUsed;
  const bytes = (await scrape('/metrics')).length;
  const garbage = process.memoryUsage().heapUsed - before;
  for (let round = 0; round < 100; round++) {
    for (const [name, path] of [
      ['metrics', '/metrics'],
      ['stats', '/webrtc/stats'],
    ] as const) {
      const start = performance.now();
      await scrape(path);
      milliseconds[name].push(performance.now() - start);
    }
  }
  collect();
  const kept = process.memoryUsage().heapUsed - before;
  await server.close();
  return {
    milliseconds: { metrics: spread(milliseconds.metrics), stats: spread(milliseconds.stats) },
    kilobytes: { text: kilo(bytes), heapOfOne: kilo(garbage), heapKeptAfter100: kilo(kept) },
  };
}

/** Whether a session keeps its offer in memory. */
async function sessions() {
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' }, ...open });
  collect();
  const before = process.memoryUsage().heapUsed;
  const body = offer + `a=x-${'x'.repeat(1000)}\r\n`.repeat(120);
  for (let index = 0; index < 1000; index++) {
    await post(server.fetch, 'http://bench/whep/live', `${body}a=x-${index}\r\n`);
  }
  collect();
  const kept = process.memoryUsage().heapUsed - before;
  await server.close();
  return { kilobytesPerSession: kilo(kept / 1000) };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function spread(times: number[]): { p50: number; p99: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) =>
    Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(3));
  return { p50: at(0.5), p99: at(0.99) };
}

function kilo(bytes: number): number {
  return Math.round(bytes / 1024);
}

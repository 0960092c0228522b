import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { resolve } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openLoad } from '../../src/cli/bench/load.ts';
import { arrive } from '../../src/cli/bench/measure.ts';
import { createServer, type Server, type ServerOptions } from '../../src/index.ts';
import { FRAGMENT } from '../support/contract/client.ts';
import { eventually } from '../support/eventually.ts';
import { listen } from '../support/listen.ts';
import { currentRuntime } from '../support/runtimes.ts';

process.env.FETCH_WHEP_ADDON ??= resolve('dist/fetch-whep.node');

const test = suite(`who begins ICE checks, ${currentRuntime()} with the native engine`);
const MDNS = 'candidate:1 1 UDP 2122252543 0a1b2c3d-0000-4000-8000-000000000000.local 54321 typ host';

/** Somebody who has nothing to do with all this. */
class Bystander {
  readonly #socket: Socket;
  datagrams = 0;

  private constructor(socket: Socket) {
    this.#socket = socket.on('message', () => this.datagrams++);
  }

  static async start(): Promise<Bystander> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new Bystander(socket);
  }

  get candidate(): string {
    return `candidate:1 1 UDP 2122252543 127.0.0.1 ${this.#socket.address().port} typ host`;
  }

  /** Its own datagram comes behind all that have been sent to it. */
  async hearsItself(): Promise<void> {
    const before = this.datagrams;
    this.#socket.send('own', this.#socket.address().port, '127.0.0.1');
    await eventually('its own datagram', () => this.datagrams > before);
  }

  close(): void {
    this.#socket.close();
  }
}

/** Lets viewers in whose offers, which have no candidate, get these; they come by PATCH as well. */
function handler(server: Server, candidates: readonly string[]) {
  return async (request: Request): Promise<Response> => {
    if (request.method !== 'POST') return server.fetch(request);
    const offer = (await request.text()).replace(/^a=mid:.*\r\n/m, (line) =>
      [line, ...candidates.map((each) => `a=${each}\r\n`)].join(''),
    );
    const { url, headers } = request;
    const response = await server.fetch(new Request(url, { method: 'POST', headers, body: offer }));
    const credentials = offer.match(/^a=ice-(ufrag|pwd):.*\r\n/gm)?.slice(0, 2) ?? [];
    const trickled = candidates.map((each) => `a=${each.replace('2122252543', '1')}\r\n`);
    const body = [...credentials, 'm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n', 'a=mid:0\r\n', ...trickled].join('');
    const location = new URL(response.headers.get('location') ?? '', url);
    const patched = await server.fetch(new Request(location, { method: 'PATCH', headers: FRAGMENT, body }));
    assert.is(patched.status, 204);
    return response;
  };
}

/** A viewer whose offer has these candidates sees a picture and leaves. */
async function plays(options: ServerOptions, candidates: readonly string[]): Promise<void> {
  const server = await createServer({
    engine: 'native',
    mediaHost: '127.0.0.1',
    streams: { live: 'clip' },
    ...options,
  });
  const listener = await listen(handler(server, candidates));
  const load = openLoad();
  try {
    await eventually('the clip plays', () => server.streams.get('live')?.state === 'live');
    const arrived = await arrive(load, { url: `${listener.origin}/whep/live`, viewers: 1, over: 0, group: 0 });
    assert.equal([arrived.failures, arrived.connected, arrived.firstKeyframes.length], [[], 1, 1]);
  } finally {
    await load.close();
    await listener.close();
    await server.close();
  }
}

test('a viewer plays without a candidate, and with none but names', async () => {
  await plays({}, []);
  await plays({}, [MDNS]);
});

test('a viewer plays that names the address of somebody else, who hears nothing of it', async () => {
  const bystander = await Bystander.start();
  try {
    await plays({}, [bystander.candidate]);
    await bystander.hearsItself();
    assert.is(bystander.datagrams, 1);
  } finally {
    bystander.close();
  }
});

test('a server that is told to checks what it is given', async () => {
  const bystander = await Bystander.start();
  try {
    await plays({ iceChecks: 'both' }, [MDNS, bystander.candidate]);
    await bystander.hearsItself();
    assert.ok(bystander.datagrams > 1);
  } finally {
    bystander.close();
  }
});

test.run();

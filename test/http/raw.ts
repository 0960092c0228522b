import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer } from '../../src/index.ts';
import { WATCH } from '../support/contract/client.ts';
import { eventually } from '../support/eventually.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { LISTENERS } from '../support/listen.ts';
import { rawHttp } from '../support/raw.ts';
import { exchange } from '../support/raw-exchange.ts';

for (const [name, listen] of LISTENERS) {
  rawHttp(`through ${name}`, async (options) => {
    const server = await createServer({ engine: new FakeEngine(), ...options });
    const { port, close } = await listen(server.fetch);
    return { port, close: () => server.close().then(close) };
  });
}

const test = suite('what a listener tells of its clients');
const [[, listen] = []] = LISTENERS;
if (listen === undefined) throw new Error('there is no listener');

test('the rate limit tells clients apart by the address of their socket', async () => {
  const server = await createServer({ engine: new FakeEngine(), rateLimit: { perSecond: 0.01, burst: 1 } });
  const { port, close } = await listen(server.fetch);
  const status = async (address: string) =>
    (await exchange(port, ['POST /whep/unknown HTTP/1.1', 'Host: localhost', 'Content-Length: 0'], '', address)).status;
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
  const head = ['POST /whep/live HTTP/1.1', 'Host: localhost', 'Content-Type: application/sdp'];
  socket.write(`${head.join('\r\n')}\r\nContent-Length: ${WATCH.length}\r\n\r\n${WATCH}`);
  await eventually('the session is set up', () => [...server.sessions].length === 1);
  socket.destroy();
  await eventually('the session is gone', () => [...server.sessions].length === 0, 12_000);
  await server.close();
  await close();
});

test.run();

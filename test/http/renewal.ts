import { get } from 'node:https';
import { connect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Failure } from '../../src/index.ts';
import { type Listener, serve, type Tls } from '../../src/serve.ts';

const test = suite('renewTls() of a listener');

/** By their subjects: `localhost` and `renewed`. */
const old = { cert: 'test/support/tls/cert.pem', key: 'test/support/tls/key.pem' };
const renewed = { cert: 'test/support/tls/renewed.pem', key: 'test/support/tls/renewed-key.pem' };

/** Common name of the certificate that a new connection is shown; undefined when there is none. */
function subject({ url }: Listener): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port: Number(new URL(url).port), rejectUnauthorized: false };
    const socket = connect({ ...options, servername: 'localhost' }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', () => resolve(undefined));
  });
}

function status({ url }: Listener): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = get(url, { rejectUnauthorized: false, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    asked.on('error', reject);
  });
}

async function refuses(listener: Listener, tls: Tls): Promise<void> {
  await listener.renewTls(tls).then(
    () => assert.unreachable(),
    (error: unknown) => assert.is(error instanceof Failure && error.code, 'invalid-options', String(error)),
  );
}

test('it takes another pair as often as it is given one, and is closed all the same', async () => {
  const listener = await serve({ fetch: () => new Response() }, { port: 0, tls: old });
  const turns = [
    [renewed, 'renewed'],
    [old, 'localhost'],
    [old, 'localhost'],
  ] as const;
  for (const [pair, name] of turns) {
    await listener.renewTls(pair);
    assert.equal([await subject(listener), await status(listener)], [name, 200]);
  }
  await Promise.all([listener.renewTls(old), listener.renewTls(renewed)]);
  assert.is(await subject(listener), 'renewed');
  await listener.close();
  assert.is(await subject(listener), undefined);
});

test('what is no pair is refused, and the old one stays', async () => {
  const listener = await serve({ fetch: () => new Response() }, { port: 0, tls: old });
  await refuses(listener, { cert: renewed.cert, key: old.key });
  await refuses(listener, { cert: old.key, key: old.key });
  await refuses(listener, { cert: old.cert, key: old.cert });
  await refuses(listener, { cert: '/nowhere/cert.pem', key: old.key });
  assert.equal([await subject(listener), await status(listener)], ['localhost', 200]);
  await listener.close();
});

test('a listener without TLS stays without', async () => {
  const listener = await serve({ fetch: () => new Response() }, { port: 0 });
  await refuses(listener, old);
  assert.is((await fetch(listener.url)).status, 200);
  await listener.close();
});

test.run();

import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { connect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Load, openLoad } from '../../src/cli/bench/load.ts';
import { Failure } from '../../src/index.ts';
import { serve } from '../../src/serve.ts';
import { eventually } from '../support/eventually.ts';
import { openGate, TRUSTING } from '../support/gate.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { type RunningServer, startServer, withServer } from '../support/server.ts';

process.env.FETCH_WHEP_ADDON ??= resolve('dist/fetch-whep.node');

const test = suite(`new tokens and certificates, ${currentRuntime()}`);
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-test-'));
const at = (name: string) => join(folder, name);
let load: Load;

test.before(() => {
  load = openLoad();
});
test.after(async () => {
  await load.close();
  rmSync(folder, { recursive: true, force: true });
});

/** By their subjects: `localhost` and `renewed`. */
const old = { cert: 'test/support/tls/cert.pem', key: 'test/support/tls/key.pem' };
const renewed = { cert: 'test/support/tls/renewed.pem', key: 'test/support/tls/renewed-key.pem' };

/** As editors and certificate tools do it: nobody sees half of it. */
function replace(name: string, text: string): void {
  writeFileSync(at(`${name}.new`), text);
  renameSync(at(`${name}.new`), at(name));
}

function turnTo(target: string): void {
  symlinkSync(target, at('live.new'));
  renameSync(at('live.new'), at('live'));
}

/** Files of certificate and key below a link, as certbot and the secrets of Kubernetes have them. */
function pairs(versions: Record<string, { cert: string; key: string }>): string[] {
  for (const [name, { cert, key }] of Object.entries(versions)) {
    mkdirSync(at(name));
    copyFileSync(cert, at(`${name}/cert.pem`));
    copyFileSync(key, at(`${name}/key.pem`));
  }
  turnTo(Object.keys(versions)[0] ?? '');
  return ['--tls-cert', at('live/cert.pem'), '--tls-key', at('live/key.pem')];
}

/** Common name of the certificate that a new connection is shown; undefined when there is none. */
function subject(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const port = Number(new URL(url).port);
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false }, () => {
      resolve([socket.getPeerCertificate().subject.CN].flat()[0]);
      socket.destroy();
    });
    socket.on('error', () => resolve(undefined));
  });
}

interface Asked {
  method?: string;
  token?: string;
  body?: string;
}

/** The response, before its body; undefined when the connection failed. */
function ask(url: string, { method = 'GET', token, body }: Asked = {}): Promise<IncomingMessage | undefined> {
  const headers = {
    ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    ...(body !== undefined && { 'Content-Type': 'application/json' }),
  };
  return new Promise((resolve) => {
    const asked = request(url, { ...TRUSTING, method, headers }, resolve);
    asked.on('error', () => resolve(undefined)).end(body);
  });
}

async function status(url: string, asked: Asked): Promise<number | undefined> {
  const response = await ask(url, asked);
  response?.resume();
  return response?.statusCode;
}

/** The events of a session, as they come. */
async function eventsOf(origin: string, session: string): Promise<{ text: string; ended: boolean }> {
  const asked = { method: 'POST', body: '["viewercount"]' };
  const subscribed = await ask(`${origin}${session}/events`, asked);
  subscribed?.resume();
  const events = { text: '', ended: false };
  const response = await ask(`${origin}${subscribed?.headers.location}`);
  response?.setEncoding('utf8').on('data', (text: string) => {
    events.text += text;
  });
  response?.on('close', () => {
    events.ended = true;
  });
  return events;
}

/** Log lines of the reloader, without their times. */
function said({ child }: RunningServer): string[] {
  const lines = child.stderr.split('\n').slice(0, -1);
  return lines.filter((line) => line.includes('·config: ')).map((line) => line.replace(/^.*·config: /, ''));
}

/** What the signal brings, up to the line that tells the outcome. */
function hangUp(server: RunningServer): Promise<string[]> {
  const before = said(server).length;
  server.child.kill('SIGHUP');
  return eventually('the outcome in the log', () => {
    const lines = said(server).slice(before);
    return lines.some((line) => /config (not )?reloaded/.test(line)) && lines;
  });
}

async function plays(group: number): Promise<void> {
  const start = load.sample(group).packets;
  await eventually('60 packets more', () => load.sample(group).packets >= start + 60);
  assert.is(load.sample(group).lost, 0);
}

test('while a viewer watches and reads events, certificate and token are replaced', async () => {
  const tls = pairs({ first: old, half: { cert: renewed.cert, key: old.key }, second: renewed });
  replace('token', 'one\n');
  const args = [...tls, '--token-file', at('token'), '--open', 'observe', '--stream', 'a=clip'];
  await withServer(currentRuntime(), args, async (server) => {
    const { url } = server;
    const gate = await openGate(url, 'one');
    try {
      await eventually('a live stream', async () => (await status(`${url}/readyz`, {})) === 200);
      const joining = { url: `${gate.url}/whep/a`, viewers: 1, over: 0 };
      assert.equal((await load.join({ ...joining, group: 1 })).failures, []);
      await plays(1);
      const [session = ''] = gate.locations;
      const events = await eventsOf(url, session);
      await eventually('the first event', () => events.text.includes('{"viewercount":1}'));

      turnTo('half');
      const fault = await eventually('what is wrong', () => said(server).find((line) => line.includes('not renewed')));
      assert.match(fault, 'live/key.pem');
      assert.is(await subject(url), 'localhost');

      turnTo('second');
      await eventually('the new certificate', async () => (await subject(url)) === 'renewed');
      assert.is(said(server).filter((line) => line.includes('not renewed')).length, 1);

      replace('token', 'two\n');
      const post = (token: string) => status(`${url}/whep/a`, { method: 'POST', token });
      // 415: let in, with nothing to say.
      await eventually('the new token', async () => (await post('two')) === 415);
      assert.is(await post('one'), 401);

      gate.token = 'two';
      assert.equal((await load.join({ ...joining, group: 2 })).failures, []);
      await eventually('the next event', () => events.text.includes('{"viewercount":2}'));
      assert.not(events.ended);
      await plays(1);

      const lines = said(server).length;
      for (let count = 0; count < 2; count++) {
        assert.equal(await hangUp(server), ['config reloaded: none added, none changed, none removed, a kept']);
      }
      assert.is(said(server).length, lines + 2);
      assert.is(await subject(url), 'renewed');
      await load.leave(1);
      await load.leave(2);
    } finally {
      gate.close();
    }
  });
});

test('the tokens of a config file are taken from it at once, everything else at SIGHUP', async () => {
  const write = (options: object) => replace('config', JSON.stringify(options));
  write({ adminToken: 'one', open: ['watch'], streams: { a: 'clip' } });
  const server = await startServer(currentRuntime(), ['--config', at('config')]);
  try {
    const answer = async (token: string) => {
      const response = await fetch(`${server.url}/api/streams`, { headers: { Authorization: `Bearer ${token}` } });
      return { status: response.status, text: await response.text() };
    };
    assert.is((await answer('one')).status, 200);

    write({ adminToken: 'two', open: ['watch'], maxViewers: 7, streams: { a: 'clip', b: 'push' } });
    await eventually('the new token', async () => (await answer('two')).status === 200);
    assert.is((await answer('one')).status, 401);
    assert.not.match((await answer('two')).text, '"b"');
    assert.equal(said(server), ['renewed: adminToken']);

    const reloaded = await hangUp(server);
    await eventually('what waits for a restart', () => said(server).some((line) => line.includes('restart')));
    assert.equal(reloaded[0], 'config reloaded: b added, none changed, none removed, a kept');
    assert.is(said(server).at(-1), 'restart for a new maxViewers');
    assert.match((await answer('two')).text, '"b"');

    write({ streams: { a: 'clip' }, open: ['watch'] });
    await eventually('a closed door', async () => (await answer('two')).status !== 200);
    assert.not.match(server.child.stderr, /"(one|two)"|(one|two)$/m);
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
});

test('a listener takes another pair, and refuses what is none', async () => {
  const listener = await serve({ fetch: () => new Response('here') }, { port: 0, tls: old });
  const isRefused = (error: unknown) => error instanceof Failure && error.code === 'invalid-options';
  const refused = async (tls: { cert: string; key: string }, to = listener) => {
    await to.renewTls(tls).then(
      () => assert.unreachable(),
      (error: unknown) => assert.ok(isRefused(error), String(error)),
    );
  };
  await refused({ cert: renewed.cert, key: old.key });
  await refused({ cert: '/nowhere/cert.pem', key: old.key });
  assert.is(await subject(listener.url), 'localhost');
  for (const [pair, name] of [
    [renewed, 'renewed'],
    [old, 'localhost'],
    [old, 'localhost'],
  ] as const) {
    await listener.renewTls(pair);
    assert.is(await subject(listener.url), name);
    assert.is(await status(listener.url, {}), 200);
  }
  await listener.close();
  assert.is(await subject(listener.url), undefined);

  const plain = await serve({ fetch: () => new Response() }, { port: 0 });
  await refused(old, plain);
  await plain.close();
});

test.run();

import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, request as plainRequest } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Load, openLoad } from '../../src/cli/bench/load.ts';
import { eventually } from '../support/eventually.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { type RunningServer, withServer } from '../support/server.ts';

// Tokens and certificates change on disk while viewers and event streams stay.
const test = suite('renewal');
const runtime = currentRuntime();
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-test-'));
const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
const PAIRS = {
  first: ['test/support/tls/cert.pem', 'test/support/tls/key.pem'],
  renewed: ['test/support/tls/renewed.pem', 'test/support/tls/renewed-key.pem'],
} as const;
const ca = [PAIRS.first[0], PAIRS.renewed[0]].map((path) => readFileSync(path));
let load: Load;

test.before(() => {
  load = openLoad();
});
test.after(async () => {
  await load.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Written beside it, then put in its place in one step. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function token(name: string, text: string): string {
  const path = join(folder, name);
  replace(path, `${text}\n`);
  return path;
}

/** The name in the certificate that a new connection sees. */
function certificateOf({ url }: RunningServer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', ca }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

interface Answer {
  status: number;
  location: string;
  body: IncomingMessage;
}

function ask(url: string, method = 'GET', headers: Record<string, string> = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, headers, ca, agent: false }, (answer) => {
      const { statusCode: status = 0, headers } = answer;
      if (method !== 'GET') answer.resume();
      resolve({ status, location: new URL(headers.location ?? '', url).href, body: answer });
    });
    asking.on('error', reject).end(body);
  });
}

/** Lets a viewer of the load, which knows neither https nor tokens, play; gives its session. */
async function joinOne(server: RunningServer, group: number, headers: Record<string, string> = {}): Promise<string> {
  let location = '';
  const relay = createServer((asked, answer) => {
    const { method, url: path = '' } = asked;
    const options = { method, headers: { ...asked.headers, ...headers }, ca, agent: false };
    const send = server.url.startsWith('https:') ? request : plainRequest;
    const asking = send(`${server.url}${path}`, options, (got) => {
      if (method === 'POST') location = new URL(got.headers.location ?? '', server.url).href;
      answer.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(answer);
    });
    asking.on('error', () => answer.destroy());
    asked.pipe(asking);
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const url = `http://127.0.0.1:${(relay.address() as AddressInfo).port}/whep/demo`;
  assert.equal((await load.join({ url, viewers: 1, over: 0, group })).failures, []);
  relay.close();
  await plays(group);
  return location;
}

/** That a viewer gets more packets, and has missed none. */
async function plays(group: number): Promise<void> {
  const start = load.sample(group).packets;
  await eventually('more packets', () => load.sample(group).packets >= start + 30);
  assert.is(load.sample(group).lost, 0);
}

/** The event stream of a session. */
async function eventsOf(location: string) {
  const made = await ask(`${location}/events`, 'POST');
  const { body } = await ask(made.location);
  const stream = { text: '', over: false };
  body.setEncoding('utf8').on('data', (text: string) => {
    stream.text += text;
  });
  for (const name of ['end', 'error']) body.on(name, () => Object.assign(stream, { over: true }));
  await eventually('the first event', () => stream.text.includes('event: viewercount'));
  return { body, stream, counts: () => stream.text.match(/^event: viewercount$/gm)?.length ?? 0 };
}

test('a renewed certificate is seen by who comes, and nobody leaves for it', async () => {
  copyFileSync(PAIRS.first[0], cert);
  copyFileSync(PAIRS.first[1], key);
  const admin = { Authorization: 'Bearer of-admins' };
  const args = ['--tls-cert', cert, '--tls-key', key, '--admin-token', 'of-admins', '--open', 'watch'];
  await withServer(runtime, args, async (server) => {
    const sees = (name: string) =>
      eventually(`the certificate of ${name}`, async () => {
        // Where a listener is made anew, nobody listens for a moment.
        const seen = await certificateOf(server).catch(() => undefined);
        return seen === name;
      });
    await sees('localhost');
    const location = await joinOne(server, 1);
    const { body, stream, counts } = await eventsOf(location);

    // The key follows later: in between the two do not belong together.
    replace(cert, readFileSync(PAIRS.renewed[0], 'utf8'));
    await eventually('the fault in the log', () => /ERR.*not the key of the certificate/.test(server.child.stderr));
    assert.is(await certificateOf(server), 'localhost');
    replace(key, readFileSync(PAIRS.renewed[1], 'utf8'));
    await sees('renewed');
    await eventually('the certificate in the log', () => /INF.*renewed: certificate/.test(server.child.stderr));
    const before = counts();
    await joinOne(server, 2);
    await eventually('an event on the old connection', () => counts() > before);

    // What was made anew can be made anew.
    writeFileSync(cert, 'no certificate');
    await eventually('the fault in the log', () => /ERR.*certificate chain in PEM/.test(server.child.stderr));
    assert.is(await certificateOf(server), 'renewed');
    replace(key, readFileSync(PAIRS.first[1], 'utf8'));
    replace(cert, readFileSync(PAIRS.first[0], 'utf8'));
    await sees('localhost');

    await plays(1);
    await plays(2);
    assert.not(stream.over);
    assert.ok((await sessionsOf(server, admin)).includes(location.split('/').at(-1) ?? ''));
    body.destroy();
    await load.leave(1);
    await load.leave(2);
  });
});

/** The ids in `GET /api/sessions`, as text. */
async function sessionsOf({ url }: RunningServer, headers: Record<string, string>): Promise<string> {
  const { body } = await ask(`${url}/api/sessions`, 'GET', headers);
  let text = '';
  for await (const chunk of body.setEncoding('utf8')) text += chunk;
  return text;
}

/** Whether the server takes a token, by the status of an offer that is none. */
async function watches({ url }: RunningServer, secret: string): Promise<boolean> {
  const headers = { Authorization: `Bearer ${secret}` };
  return (await fetch(`${url}/whep/demo`, { method: 'POST', headers, body: '' })).status === 415;
}

test('a token file that is replaced counts from then on, and who is there stays', async () => {
  const path = token('watch', 'of-yesterday');
  await withServer(runtime, ['--token-file', path, '--open', 'observe'], async (server) => {
    await server.live();
    assert.ok(await watches(server, 'of-yesterday'));
    await joinOne(server, 3, { Authorization: 'Bearer of-yesterday' });

    replace(path, '\n');
    await eventually('the fault in the log', () => /ERR.*its first line is empty/.test(server.child.stderr));
    assert.ok(await watches(server, 'of-yesterday'), 'the old one stays');
    token('watch', 'of-today');
    await eventually('the new token', () => watches(server, 'of-today'));
    assert.not(await watches(server, 'of-yesterday'));
    await plays(3);
    await server.viewers(1);
    await load.leave(3);
    assert.not.match(server.child.stderr, /of-yesterday|of-today/);
  });
});

test('a link that is turned to another folder is noticed, as in the secrets of Kubernetes', async () => {
  const turn = (to: string) => {
    symlinkSync(to, join(folder, 'data.new'));
    renameSync(join(folder, 'data.new'), join(folder, 'data'));
  };
  for (const [name, secret] of [
    ['one', 'secret-one'],
    ['two', 'secret-two'],
  ] as const) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'token'), secret);
  }
  turn('one');
  await withServer(runtime, ['--token-file', join(folder, 'data/token'), '--open', 'observe'], async (server) => {
    await server.live();
    assert.ok(await watches(server, 'secret-one'));
    turn('two');
    await eventually('the other token', () => watches(server, 'secret-two'));
    assert.not(await watches(server, 'secret-one'));
  });
});

test('tokens of the config file count at once, everything else waits for SIGHUP', async () => {
  const config = join(folder, 'c.json');
  const write = (content: object) => replace(config, JSON.stringify(content));
  write({ token: 'of-yesterday', open: ['observe'], streams: { demo: 'clip' } });
  await withServer(runtime, ['--config', config], async (server) => {
    await server.live();
    write({ token: 'of-today', publishToken: 'new', open: ['observe'], streams: { demo: 'clip', more: 'clip' } });
    await eventually('the new token', () => watches(server, 'of-today'));
    assert.equal(Object.keys((await server.stats()).streams), ['demo']);
    server.child.kill('SIGHUP');
    await server.live(2);
    await eventually('the outcome in the log', () => server.child.stderr.includes('config reloaded'));
    assert.match(server.child.stderr, /renewed: token, publishToken/);
    assert.not.match(server.child.stderr, /restart/);
    // Without a token an action is closed, not open.
    write({ streams: { demo: 'clip' } });
    await eventually('nobody may watch', async () => !(await watches(server, 'of-today')));
    await eventually('the warning', () => /WRN.*restart/.test(server.child.stderr));
    assert.not(await watches(server, 'of-yesterday'));
  });
});

test('SIGHUP reads the files of a server without a config file', async () => {
  const path = token('watch', 'of-yesterday');
  await withServer(runtime, ['--token-file', path], async (server) => {
    token('watch', 'of-today');
    server.child.kill('SIGHUP');
    await eventually('the outcome in the log', () => server.child.stderr.includes('config reloaded'));
    await eventually('the new token', () => watches(server, 'of-today'));
  });
});

test.run();

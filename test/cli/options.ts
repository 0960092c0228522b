import { request } from 'node:https';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configure } from '../../src/cli/configuration.ts';
import { printed } from '../../src/cli/print.ts';
import { checkAnswer } from '../support/answer-rules.ts';
import { SDP, WATCH } from '../support/contract/client.ts';
import { STREAM } from '../support/exchange.ts';
import { freePort, freeUdpPorts } from '../support/ports.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { serveCommand, withServer } from '../support/server.ts';

// That each option of `serve` does what it says, seen from outside. Config file, tokens from the environment and log
// options have their own tests.
const test = suite('options of serve');
const runtime = currentRuntime();

function watch(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { ...SDP, ...headers }, body: WATCH });
}

/** Address and port of each candidate. */
async function candidates(response: Response): Promise<string[]> {
  assert.is(response.status, 201);
  const answer = await response.text();
  assert.equal(checkAnswer(WATCH, answer, STREAM), []);
  const lines = answer.matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+) (\d+) /gm);
  return [...lines].map(([, address, port]) => `${address} ${port}`);
}

test('addresses, ports, limits, tokens and the contract are those of the command line', async () => {
  const [port, media] = [await freePort('127.0.0.2'), await freeUdpPorts('127.0.0.3')];
  const args = [
    ...['--host', '127.0.0.2', '--port', `${port}`, '--base-path', '/tv'],
    ...['--media-host', '127.0.0.3', '--media-port', `${media}`, '--shards', '2'],
    ...['--announce', '192.0.2.7', '--announce', '2001:db8::7'],
    ...['--ice-server', 'stun:one.test', '--ice-server', 'stun:two.test:3479'],
    ...['--max-viewers', '2', '--max-viewers-per-stream', '1', '--engine', 'native', '--conformance', 'draft'],
    ...['--token', 'of-viewers', '--admin-token', 'of-admins', '--open', 'observe'],
    ...['--stream', 'a=clip', '--stream', 'b=clip', '--stream', 'c=clip'],
  ];
  await withServer(runtime, args, async (server) => {
    const { announcement, url } = server;
    assert.equal([announcement.listening, announcement.engine], [`http://127.0.0.2:${port}`, 'native']);
    assert.equal(Object.keys(announcement.streams), ['a', 'b', 'c']);
    await fetch(`http://127.0.0.1:${port}/healthz`).then(
      () => assert.unreachable('--host leaves other addresses alone'),
      () => {},
    );
    assert.is((await fetch(`${url}/tv/play/a`)).status, 200);
    await server.live(3, '/tv');

    const whep = (stream: string, token = 'of-viewers') =>
      watch(`${url}/tv/whep/${stream}`, { Authorization: `Bearer ${token}` });
    assert.is((await whep('a', 'guessed')).status, 401);
    const first = await whep('a');
    const reached = await candidates(first);
    for (const address of ['127.0.0.3', '192.0.2.7', '2001:db8::7']) {
      assert.ok(reached.includes(`${address} ${media}`), `${address} ${media} in ${reached}`);
    }
    assert.match(first.headers.get('link') ?? '', /<stun:one\.test>; rel="ice-server".*<stun:two\.test:3479>/);
    const second = await candidates(await whep('b'));
    assert.ok(second.includes(`127.0.0.3 ${media + 1}`), 'the second shard has the next port');

    assert.match(await (await whep('c')).text(), /^webrtc: peer cap reached/);
    const location = new URL(first.headers.get('location') ?? '', url).href;
    assert.match(location, /\/tv\/whep\/a\//);
    assert.is((await fetch(location, { method: 'DELETE' })).status, 200, 'as the draft has it');
    assert.match(await (await whep('b')).text(), /^webrtc: per-stream peer cap reached/);

    const admin = (token: string) => fetch(`${url}/tv/api/streams`, { headers: { Authorization: `Bearer ${token}` } });
    assert.equal([(await admin('of-viewers')).status, (await admin('of-admins')).status], [401, 200]);
  });
});

test('without options: loopback, eight viewers of a stream, no /api, the classic contract', async () => {
  await withServer(runtime, [], async (server) => {
    const { announcement, url } = server;
    assert.not.match(server.child.stderr, /WRN|ERR/);
    assert.match(url, /^http:\/\/127\.0\.0\.1:/);
    assert.is(announcement.engine, 'native');
    await server.live();
    const answers = await Promise.all(Array.from({ length: 9 }, () => watch(`${url}/whep/demo`)));
    assert.equal(answers.map(({ status }) => status).toSorted(), [...Array(8).fill(201), 503]);
    const [joined] = answers.filter(({ status }) => status === 201);
    if (joined === undefined) throw new Error('nobody got in');
    const location = new URL(joined.headers.get('location') ?? '', url).href;
    for (const candidate of await candidates(joined)) assert.match(candidate, /^127\.0\.0\.1 /);
    assert.is((await fetch(location, { method: 'DELETE' })).status, 204);
    assert.is((await fetch(`${url}/api/streams`)).status, 404);
  });
});

test('--max-viewers-per-stream none lifts the cap; a public --host brings media to every interface', async () => {
  await withServer(runtime, ['--host', '0.0.0.0', '--max-viewers-per-stream', 'none'], async (server) => {
    const { url } = server;
    await server.live();
    const answers = await Promise.all(Array.from({ length: 10 }, () => watch(`${url}/whep/demo`)));
    assert.equal(new Set(answers.map(({ status }) => status)), new Set([201]));
    const addresses = await candidates(answers[0] ?? new Response());
    assert.ok(addresses.every((address) => !address.startsWith('127.')));
    assert.match(server.child.stderr, /whoever reaches 0\.0\.0\.0 may watch/);
  });
});

test('--host takes IPv6, and media follows it', async () => {
  await withServer(runtime, ['--host', '::1'], async (server) => {
    assert.match(server.url, /^http:\/\/\[::1\]:\d+$/);
    await server.live();
    for (const candidate of await candidates(await watch(`${server.url}/whep/demo`))) assert.match(candidate, /^::1 /);
  });
});

test('--engine portable takes the other engine', async () => {
  await withServer(runtime, ['--engine', 'portable'], async (server) => {
    assert.is(server.announcement.engine, 'portable');
    await server.live();
  });
});

test('--tls-cert and --tls-key serve https', async () => {
  const tls = ['--tls-cert', 'test/support/tls/cert.pem', '--tls-key', 'test/support/tls/key.pem'];
  await withServer(runtime, tls, async ({ url }) => {
    assert.match(url, /^https:\/\/127\.0\.0\.1:/);
    const status = await new Promise((resolve, reject) => {
      // The certificate is the test's own.
      const get = request(`${url}/healthz`, { rejectUnauthorized: false, agent: false }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      });
      get.on('error', reject).end();
    });
    assert.is(status, 200);
  });
});

test('--print-config prints what file and command line come to, without secrets, and ends', async () => {
  const args = ['--config', 'test/cli/golden/whole.config', '--port', '8443', '--stream', 'studio=clip'];
  const child = serveCommand(runtime, [...args, '--print-config']);
  assert.equal(await child.ending(), { code: 0, signal: null });
  assert.is(child.stderr, '');
  assert.is(child.stdout, printed(configure(args)));
  const { host, port, token, maxViewers, maxViewersPerStream, streams } = JSON.parse(child.stdout);
  assert.equal([host, port, token, maxViewers, maxViewersPerStream], ['0.0.0.0', 8443, '***', 1000, 'none']);
  assert.equal(Object.keys(streams), ['cam1', 'door', 'studio']);
  assert.equal(streams.studio, { clip: {} });
  assert.not.match(child.stdout, /of-the-/);
});

/** What `serve` says that cannot do what it is told. */
async function refusal(code: number, args: string[], env: Record<string, string> = {}): Promise<string> {
  const child = serveCommand(runtime, args, env);
  assert.equal(await child.ending(), { code, signal: null });
  assert.is(child.stdout, '');
  return child.stderr;
}

test('what cannot be done ends the command with one line and its exit code', async () => {
  await withServer(runtime, ['--stream', 'cam1=rtp:0,0'], async ({ url, announcement }) => {
    const [port, video] = [new URL(url).port, announcement.streams.cam1?.video];
    assert.match(await refusal(1, ['--port', port]), /port \d+ on 127\.0\.0\.1 is in use: choose another/);
    assert.match(
      await refusal(1, ['--port', '0', '--stream', `cam1=rtp:${video}`]),
      /port \d+ .*choose another, or 0 to let the system choose\n$/,
    );
  });
  assert.match(
    await refusal(2, ['--host', '192.0.2.250']),
    /^fetch-whep: cannot listen on 192\.0\.2\.250, port 8080: /m,
  );
  assert.match(
    await refusal(1, ['--engine', 'native'], { FETCH_WHEP_ADDON: '/nowhere.node' }),
    /^fetch-whep: the native engine cannot be loaded \(.*\/nowhere\.node.*\n$/m,
  );
  assert.match(
    await refusal(2, ['--stream', 'cam1=ffmpeg:/nowhere/film.mp4']),
    /^fetch-whep: FFmpeg cannot read \/nowhere\/film\.mp4: /m,
  );
});

test.run();

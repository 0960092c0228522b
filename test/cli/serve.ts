import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../support/child.ts';
import { eventually } from '../support/eventually.ts';
import { descendants } from '../support/process.ts';
import { commandOf, currentRuntime } from '../support/runtimes.ts';
import { type RunningServer, serveCommand, startServer } from '../support/server.ts';

const test = suite('command line');
const runtime = currentRuntime();
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-test-'));

test.after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function withServer(args: string[], env: Record<string, string>, use: (server: RunningServer) => Promise<void>) {
  const server = await startServer(runtime, args, env);
  try {
    await use(server);
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
}

const wrong: [args: string[], line: RegExp][] = [
  [['--nonsense'], /^fetch-whep: .*--nonsense.*: see fetch-whep serve --help$/],
  [['stray'], /stray.*: see fetch-whep serve --help$/],
  [['--port', 'http'], /--port: give a TCP port/],
  [['--port', '65536'], /--port: give a TCP port/],
  [['--media-port', '70000'], /--media-port: give a UDP port/],
  [['--stream', 'cam1'], /--stream cam1: write ID=SOURCE/],
  [['--stream', 'cam1=tape:5'], /--stream cam1: write rtp:VIDEOPORT/],
  [['--stream', 'cam1=rtp:99999'], /--stream cam1: give a UDP port/],
  [['--stream', 'a/b=clip'], /--stream a\/b: a stream id is/],
  [['--stream', 'cam1=ffmpeg:/nowhere/film.mp4'], /FFmpeg cannot read \/nowhere\/film\.mp4/],
  [['--max-viewers', 'many'], /--max-viewers: give a whole number/],
  [['--engine', 'steam'], /--engine: give auto, native or portable/],
  [['--conformance', 'loose'], /--conformance: give classic or draft/],
  [['--log-level', 'loud'], /--log-level: give trace, debug/],
  [['--log-format', 'xml'], /--log-format: give pretty or json/],
  [['--base-path', 'live'], /--base-path: give an absolute path/],
  [['--ice-server', 'example.org'], /--ice-server.*give a URI/],
  [['--token', 'two words'], /--token: a secret is/],
  [['--tls-cert', 'x.pem'], /--tls-cert and --tls-key go together/],
  [
    ['--tls-cert', '/nowhere/c.pem', '--tls-key', '/nowhere/k.pem'],
    /--tls-cert \/nowhere\/c\.pem: cannot be read \(ENOENT\)/,
  ],
  [['--config', '/nowhere/c.json'], /--config \/nowhere\/c\.json: cannot be read \(ENOENT\)/],
  [['--config', file('text.json', 'hello')], /text\.json: not JSON/],
  [['--config', file('list.json', '[]')], /list\.json: the file has to hold one JSON object/],
  [['--config', file('unknown.json', '{"maxViewer": 3}')], /unknown\.json: maxViewer: no such option/],
  [
    ['--config', file('deep.json', '{"streams": {"cam1": {"rtp": {"video": "x"}}}}')],
    /deep\.json: streams\.cam1\.rtp\.video: give a UDP port/,
  ],
  [['--config', file('port.json', '{"port": "x"}')], /port\.json: port: give a TCP port/],
];

for (const [args, line] of wrong) {
  test(`serve ${args.join(' ').replace(folder, '')}: one line, exit code 2`, async () => {
    const child = serveCommand(runtime, args);
    assert.equal(await child.ending(), { code: 2, signal: null });
    assert.is(child.stdout, '');
    assert.match(child.stderr, /^fetch-whep: [^\n]+\n$/);
    assert.match(child.stderr.trimEnd(), line);
  });
}

test('a command is needed', async () => {
  for (const args of [[], ['sing']]) {
    const child = new Child(runtime, 'dist/cli.js', args);
    assert.equal(await child.ending(), { code: 2, signal: null });
    assert.match(child.stderr, /^fetch-whep: .*: see fetch-whep --help\n$/);
  }
});

test('help names every option and every source', async () => {
  const child = serveCommand(runtime, ['--help']);
  assert.equal(await child.ending(), { code: 0, signal: null });
  const options = [
    ...['host', 'port', 'base-path', 'config', 'stream', 'tls-cert', 'tls-key', 'media-host', 'media-port', 'announce'],
    ...[
      'ice-server',
      'max-viewers',
      'max-viewers-per-stream',
      'token',
      'admin-token',
      'engine',
      'conformance',
      'shards',
    ],
    ...['log-level', 'log-format'],
  ];
  for (const name of options) assert.match(child.stdout, new RegExp(`^  --${name} `, 'm'));
  for (const source of ['rtp:', 'ffmpeg:', 'whip', 'push', 'clip'])
    assert.match(child.stdout, new RegExp(`^  ${source}`, 'm'));
  for (const line of child.stdout.split('\n')) assert.ok(line.length <= 120, line);
});

test('one line of JSON says where everything is', async () => {
  await withServer(['--stream', 'cam1=rtp:0,0', '--stream', 'demo=clip'], {}, async ({ announcement, url, child }) => {
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(Object.keys(announcement), ['listening', 'engine', 'runtime', 'streams']);
    assert.is(announcement.runtime, runtime);
    const { video = 0, audio = 0 } = announcement.streams.cam1 ?? {};
    assert.ok(video > 0 && audio > 0);
    assert.equal(announcement.streams.demo, {});
    assert.is((await fetch(`${url}/healthz`)).status, 200);
    assert.is(child.stdout.trim().split('\n').length, 1);
  });
});

test('at a terminal a person is told the same, with the addresses to open', async () => {
  const [program, ...args] = commandOf(runtime);
  const words = [
    program,
    ...args,
    'dist/cli.js',
    'serve',
    '--port',
    '0',
    '--stream',
    'cam1=rtp:0,0',
    '--base-path',
    '/tv',
  ];
  // script(1) gives its command a terminal, and passes SIGTERM's end on.
  const terminal = spawn('script', ['-qec', words.join(' '), '/dev/null'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(terminal, 'exit');
  let said = '';
  terminal.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    const port = await eventually('the lines', () => /cam1 {2}\(rtp/.test(said) && /:(\d+)\/tv /.exec(said)?.[1]);
    assert.match(said, `Listening on http://127.0.0.1:${port}/tv (native engine, ${runtime})`);
    assert.match(
      said,
      new RegExp(`http://127.0.0.1:${port}/tv/play/cam1 {2}\\(rtp, video on UDP port \\d+, audio on UDP port \\d+\\)`),
    );
  } finally {
    for (const { pid } of descendants(terminal.pid ?? 0)) process.kill(pid, 'SIGTERM');
    await ended;
  }
});

test('without a stream there is the demo; a config file may name none', async () => {
  await withServer([], {}, async ({ announcement }) => {
    assert.equal(announcement.streams, { demo: {} });
  });
  await withServer(['--config', file('empty.json', '{}')], {}, async ({ announcement }) => {
    assert.equal(announcement.streams, {});
  });
});

test('the command line wins over the config file, streams add up', async () => {
  const config = file(
    'good.json',
    '{"basePath": "/a", "logFormat": "json", "streams": {"one": "clip", "two": "rtp:0"}}',
  );
  await withServer(
    ['--config', config, '--base-path', '/b', '--stream', 'two=clip'],
    {},
    async ({ announcement, url, child }) => {
      assert.equal(announcement.streams, { one: {}, two: {} });
      assert.is((await fetch(`${url}/b/play/one`)).status, 200);
      assert.is((await fetch(`${url}/a/play/one`)).status, 404);
      for (const line of child.stderr.trim().split('\n')) assert.type(JSON.parse(line), 'object');
    },
  );
});

test('a token from the environment guards the streams, one from the command line wins', async () => {
  const post = (url: string, token: string) =>
    fetch(`${url}/whep/demo`, { method: 'POST', headers: { Authorization: `Bearer ${token}` }, body: '' });
  await withServer([], { FETCH_WHEP_TOKEN: 'inside' }, async (server) => {
    const { url } = server;
    await server.live();
    assert.is((await post(url, 'other')).status, 401);
    assert.is((await post(url, 'inside')).status, 415);
  });
  await withServer(['--token', 'outside'], { FETCH_WHEP_TOKEN: 'inside' }, async (server) => {
    const { url } = server;
    await server.live();
    assert.is((await post(url, 'inside')).status, 401);
    assert.is((await post(url, 'outside')).status, 415);
  });
});

test('the log level is kept, and secrets stay out of the log', async () => {
  await withServer(['--log-level', 'error', '--token', 'hush-hush'], {}, async ({ child, url }) => {
    await fetch(`${url}/whep/demo`, { method: 'POST' });
    assert.is(child.stderr, '');
  });
  await withServer(
    ['--log-level', 'trace', '--token', 'hush-hush', '--admin-token', 'hush-admin'],
    {},
    async ({ child, url }) => {
      await fetch(`${url}/whep/demo`, { method: 'POST', headers: { Authorization: 'Bearer hush-hush' } });
      assert.not.match(child.stderr, /hush-/);
    },
  );
});

test.run();

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { withPrograms } from '../support/fake-programs.ts';
import { processes } from '../support/process.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { atTerminal } from '../support/terminal.ts';

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
  const args = ['serve', '--port', '0', '--stream', 'cam1=rtp:0,0', '--base-path', '/tv'];
  const said = await atTerminal(args, {}, (text) => /cam1 {2}\(rtp/.test(text));
  const [, port] = /:(\d+)\/tv /.exec(said) ?? [];
  assert.match(said, `Listening on http://127.0.0.1:${port}/tv (native engine, ${runtime})`);
  assert.match(
    said,
    new RegExp(`http://127.0.0.1:${port}/tv/play/cam1 {2}\\(rtp, video on UDP port \\d+, audio on UDP port \\d+\\)`),
  );
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
  const open = ['--open', 'observe'];
  const post = (url: string, token: string) =>
    fetch(`${url}/whep/demo`, { method: 'POST', headers: { Authorization: `Bearer ${token}` }, body: '' });
  await withServer(open, { FETCH_WHEP_TOKEN: 'inside' }, async (server) => {
    const { url } = server;
    await server.live();
    assert.is((await post(url, 'other')).status, 401);
    assert.is((await post(url, 'inside')).status, 415);
  });
  await withServer([...open, '--token', 'outside'], { FETCH_WHEP_TOKEN: 'inside' }, async (server) => {
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

test('inputs that say nothing hold up neither the start nor the end', async () => {
  const hangs = 'echo $$ >>"$(dirname "$0")/pids"; exec sleep 300';
  await withPrograms({ ffprobe: hangs, ffmpeg: hangs }, async (programs) => {
    const pids = () => {
      const path = join(programs, 'pids');
      return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').map(Number) : [];
    };
    const camera = { cam: 'ffmpeg:tcp://127.0.0.1:9' };
    const config = file('camera.json', JSON.stringify({ streams: camera }));
    const server = await startServer(runtime, ['--config', config]);
    try {
      await eventually('a look at the camera', () => pids().length === 1);
      file('camera.json', JSON.stringify({ streams: { ...camera, film: 'ffmpeg:film.mp4' } }));
      server.child.kill('SIGHUP');
      await eventually('a look at the film', () => pids().length === 2);
      assert.equal(await server.stop(), { code: 0, signal: null });
      assert.not.match(server.child.stderr, 'not closed within');
      assert.not(processes().some(({ pid }) => pids().includes(pid)));
    } finally {
      server.child.kill('SIGKILL');
    }
  });
});

test.run();

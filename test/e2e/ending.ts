import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../support/child.ts';
import { eventually } from '../support/eventually.ts';
import { withPrograms } from '../support/fake-programs.ts';
import { descendants, processes } from '../support/process.ts';
import { ENGINES, RUNTIMES, type Runtime } from '../support/runtimes.ts';
import { serveCommand, startServer } from '../support/server.ts';

const test = suite('start and end of the process');
const NO_ADDON = { FETCH_WHEP_ADDON: '/nowhere/x.node' };
const ffmpegPicture = 'ffmpeg:lavfi:testsrc2=size=320x180:rate=30';

/** Runs `serve`, which has to end by itself with one line that matches `why`. */
async function fails(runtime: Runtime, args: string[], code: number, why: RegExp, env = {}): Promise<void> {
  const child = serveCommand(runtime, ['--port', '0', ...args], env);
  assert.equal(await child.ending(), { code, signal: null });
  assert.is(child.stdout, '');
  const lines = child.stderr.split('\n').filter((line) => line.startsWith('fetch-whep: '));
  assert.is(lines.length, 1, child.stderr);
  assert.match(lines[0] ?? '', why);
  assert.not.match(child.stderr, /^\s+at /m);
}

for (const runtime of RUNTIMES) {
  for (const engine of ENGINES) {
    test(`${runtime}, ${engine}: the process ends by itself after close()`, async () => {
      const child = new Child(runtime, 'test/support/programs/close.mjs', [engine]);
      assert.equal(await child.ending(), { code: 0, signal: null });
      assert.is(child.stdout, `closed ${engine} after 200, 201\n`);
    });
  }

  test(`${runtime}: SIGTERM and SIGINT end the server and its FFmpeg, with exit code 0`, async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const server = await startServer(runtime, ['--stream', `cam1=${ffmpegPicture}`, '--stream', 'demo=clip']);
      await server.live(2);
      const started = descendants(server.child.pid);
      assert.ok(started.some(({ command }) => command[0] === 'ffmpeg'));
      server.child.kill(signal);
      assert.equal(await server.child.ending(), { code: 0, signal: null });
      const left = processes().filter(({ pid }) => started.some((each) => each.pid === pid));
      assert.equal(left, []);
    }
  });

  test(`${runtime}: no FFmpeg is left when the server is killed`, async () => {
    const server = await startServer(runtime, ['--stream', `cam1=${ffmpegPicture}`]);
    await server.live();
    const started = descendants(server.child.pid);
    assert.ok(started.some(({ command }) => command[0] === 'ffmpeg'));
    server.child.kill('SIGKILL');
    await server.child.ended;
    await eventually('the end of FFmpeg', () =>
      processes().every(({ pid }) => started.every((each) => each.pid !== pid)),
    );
  });

  test(`${runtime}: a TCP port in use is named`, async () => {
    const server = await startServer(runtime, []);
    const { port } = new URL(server.url);
    await fails(runtime, ['--port', port], 1, new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use: choose another`));
    assert.equal(await server.stop(), { code: 0, signal: null });
  });

  test(`${runtime}: a UDP port in use is named`, async () => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    await fails(runtime, ['--stream', `cam1=rtp:${port}`], 1, new RegExp(`${port}.*in use`));
    socket.close();
  });

  test(`${runtime}: a missing addon is explained`, async () => {
    await fails(runtime, ['--engine', 'native'], 1, /native engine cannot be loaded .*scripts\/start/, NO_ADDON);
  });

  test(`${runtime}: a missing FFmpeg is explained`, async () => {
    await withPrograms({}, (empty) =>
      fails(runtime, ['--stream', 'cam1=ffmpeg:film.mp4'], 1, /FFmpeg is missing: install/, { PATH: empty }),
    );
  });
}

test.run();

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { transformSync } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../support/child.ts';
import { Chromium } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { withPrograms } from '../support/fake-programs.ts';
import { numberedBars } from '../support/picture.ts';
import { descendants, processes } from '../support/process.ts';
import { RUNTIMES } from '../support/runtimes.ts';
import { startConfigured, startServer } from '../support/server.ts';

const test = suite('sources in Chromium');
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-sources-'));
let browser: Chromium;

test.before(async () => {
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A film of 4 s with numbered pictures and a tone, as `encoding` says. */
function film(name: string, ...encoding: string[]): string {
  const path = join(folder, name);
  const input = ['-f', 'lavfi', '-i', numberedBars(), '-f', 'lavfi', '-i', 'sine=frequency=1000'];
  execFileSync('ffmpeg', ['-y', '-loglevel', 'error', ...input, '-t', '4', ...encoding, path]);
  return path;
}

const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '60'];

test('FFmpeg copies what browsers can show, over and over, and a killed one is followed without a new POST', async () => {
  const input = film('plain.mp4', ...h264, '-bf', '0', '-c:a', 'libopus');
  const server = await startConfigured('node', { streams: { cam1: { ffmpeg: { input } } } });
  try {
    await server.live();
    const { ffmpeg } = (await server.stats()).streams.cam1 ?? {};
    assert.equal([ffmpeg?.state, ffmpeg?.video, ffmpeg?.audio], ['running', 'copy', 'copy']);
    const tab = await browser.watch(`${server.url}/play/cam1`);
    await tab.frames(30);
    await tab.unmute();
    await eventually('sound', async () => (await tab.media()).audioEnergy > 0);
    await eventually('the second round', async () => ((await tab.frameNumber()) ?? 0) > 90);
    await eventually('its beginning', async () => ((await tab.frameNumber()) ?? 120) < 30);

    const started = descendants(server.child.pid).filter(({ command }) => command[0] === 'ffmpeg');
    assert.is(started.length, 1);
    for (const { pid } of started) process.kill(pid, 'SIGKILL');
    await eventually('the count', async () => (await server.stats()).streams.cam1?.ffmpeg?.restarts === 1);
    await tab.frames((await tab.media()).framesDecoded + 60);
    assert.is(tab.sessions.length, 1);
    const after = (await server.stats()).streams.cam1?.ffmpeg;
    assert.equal([after?.state, after?.last_error?.split(':')[0]], ['running', 'signal 9']);
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
});

test('FFmpeg encodes what browsers cannot show: B-frames and AAC', async () => {
  const input = film('reordered.mp4', ...h264, '-bf', '3', '-c:a', 'aac');
  const server = await startServer('node', ['--stream', `cam1=ffmpeg:${input}`]);
  try {
    await server.live();
    const tab = await browser.watch(`${server.url}/play/cam1`);
    await tab.frames(60);
    await eventually('a frame number', () => tab.frameNumber());
    const { cam1 } = (await server.stats()).streams;
    assert.equal([cam1?.ffmpeg?.video, cam1?.ffmpeg?.audio], ['h264', 'opus']);
    assert.equal([cam1?.video?.b_frames, cam1?.warnings], [false, []]);
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
});

test('an FFmpeg that sends nothing leaves its stream without viewers, and says why', async () => {
  const scripts = {
    ffprobe: `echo '{"streams":[{"codec_type":"video","codec_name":"vp9"}]}'`,
    ffmpeg: 'echo the camera is asleep >&2; exec sleep 60',
  };
  await withPrograms(scripts, async () => {
    const options = { streams: { cam1: { ffmpeg: { input: 'x.mkv', stallSeconds: 0.5 } } } };
    const server = await startConfigured('node', options);
    try {
      const cam1 = async () => (await server.stats()).streams.cam1;
      assert.is((await cam1())?.state, 'starting');
      const response = await fetch(`${server.url}/whep/cam1`, { method: 'POST' });
      assert.is(response.status, 409);
      assert.ok(Number(response.headers.get('retry-after')) >= 1);
      const said = await eventually('why', async () => (await cam1())?.ffmpeg?.last_error);
      assert.is(said, 'no progress for 0.5 s: the camera is asleep');
      assert.equal(await server.stop(), { code: 0, signal: null });
    } finally {
      server.child.kill('SIGKILL');
    }
  });
});

for (const runtime of RUNTIMES) {
  test(`${runtime}: no ffprobe is left when the server is killed while it waits for one`, async () => {
    const mark = `${1_000_000 + process.pid}`;
    await withPrograms({ ffprobe: `exec sleep ${mark}` }, async () => {
      const server = new Child(runtime, 'dist/cli.js', ['serve', '--port', '0', '--stream', 'cam1=ffmpeg:x.mp4']);
      const probes = () => processes().filter(({ command }) => command.includes(mark) && command[0] === 'sleep');
      try {
        await eventually('the probe', () => probes().length === 1);
        server.kill('SIGKILL');
        await server.ended;
        await eventually('its end', () => probes().length === 0);
      } finally {
        server.kill('SIGKILL');
      }
    });
  });

  test(`${runtime}: examples/push.ts pushes the clip, and Chromium plays it`, async () => {
    const source = readFileSync('examples/push.ts', 'utf8').replace('8080', '0');
    const path = `build/examples/push-${runtime}.mjs`;
    mkdirSync('build/examples', { recursive: true });
    writeFileSync(path, transformSync(source, { loader: 'ts', target: 'node20.11' }).code);
    const example = new Child(runtime, path);
    try {
      const page = await eventually('the address', () => /^watch at (\S+)$/m.exec(example.stdout)?.[1]);
      const tab = await browser.watch(page);
      await tab.smoothFrames(60);
      await tab.unmute();
      await eventually('sound', async () => (await tab.media()).audioEnergy > 0);
      const first = await eventually('a frame number', () => tab.frameNumber());
      await eventually('another', async () => {
        const number = await tab.frameNumber();
        return number !== undefined && number !== first;
      });
      await tab.page.close();
    } finally {
      example.kill('SIGKILL');
      await example.ended;
    }
  });
}

test.run();

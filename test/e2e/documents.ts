import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium } from '../support/chromium.ts';
import { commands } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { running } from '../support/example.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { bundled } from '../support/site.ts';

const test = suite('what the documents say to type');
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-test-'));
let browser: Chromium;

test.before(async () => {
  browser = await Chromium.launch();
  // The film that the reader has.
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=2'];
  const sound = ['-f', 'lavfi', '-i', 'sine=duration=2'];
  await run('ffmpeg', ['-loglevel', 'error', ...picture, ...sound, join(folder, 'film.mp4')]);
});

test.after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

/** A server for what FFmpeg describes, once it has. */
async function described(file: string): Promise<RunningServer> {
  await eventually('the description', () => existsSync(file) && /^m=audio/m.test(readFileSync(file, 'utf8')));
  return startServer('node', ['--stream', `cam1=sdp:${file}`]);
}

const lines = commands().filter(({ words }) => words[0] === 'ffmpeg');
assert.ok(lines.length > 0);

for (const { place, words } of lines) {
  test(`${place}: the FFmpeg line plays`, async () => {
    const file = join(folder, 'cam.sdp');
    // Where FFmpeg describes what it sends, the server comes after it, and the ports are those of the document.
    const before = words.includes('-sdp_file') ? undefined : await startServer('node', ['--stream', 'cam1=rtp:0,0']);
    const { video = 5004, audio = 5006 } = before?.announcement.streams.cam1 ?? {};
    const ports: Record<string, string> = { '5004': String(video), '5006': String(audio) };
    const args = words
      .slice(1)
      .map((word) => word.replace(/^(rtp:.*:)(\d+)(?=\?|$)/, (_, to, port) => to + ports[port]));
    const ffmpeg = spawn('ffmpeg', ['-loglevel', 'error', '-nostdin', ...args], { cwd: folder, stdio: 'ignore' });
    let server = before;
    try {
      const running = before ?? (await described(file));
      server = running;
      const cam1 = async () => (await running.stats()).streams.cam1;
      await eventually('both legs', async () => {
        const stream = await cam1();
        return stream?.video?.active && stream.audio?.active;
      });
      const tab = await browser.watch(`${running.url}/play/cam1`);
      await tab.frames(40);
      assert.is((await tab.media()).audioChannels, 2);
      const stream = await cam1();
      assert.equal(stream?.warnings, []);
      assert.is((await tab.media()).videoCodec.toLowerCase(), `video/${stream?.video?.codec}`);
      await tab.page.close();
      assert.equal(await running.stop(), { code: 0, signal: null });
    } finally {
      ffmpeg.kill('SIGKILL');
      server?.child.kill('SIGKILL');
    }
  });
}

for (const name of ['browser.js', 'page.js', 'player.js']) {
  test(`examples/${name} plays in a page of the server`, async () => {
    const server = await startServer('node', ['--stream', 'cam1=clip']);
    try {
      await server.live();
      const tab = await browser.watch(server.url);
      const source = readFileSync(`examples/${name}`, 'utf8').replace('https://live.example.org', server.url);
      const body = `<!doctype html><link rel="icon" href="data:,"><video muted autoplay playsinline></video>
        <script type="module">${await bundled(source)}</script>`;
      await tab.page.route('**/page', (route) => route.fulfill({ contentType: 'text/html', body }));
      await tab.page.goto(`${server.url}/page`);
      await tab.frames(30);
      await eventually('a frame number', () => tab.frameNumber());
      assert.equal(
        tab.console.filter((line) => !line.startsWith('debug: ')),
        [],
      );
      await tab.page.close();
      assert.equal(await server.stop(), { code: 0, signal: null });
    } finally {
      server.child.kill('SIGKILL');
    }
  });
}

test('examples/push-webcodecs.ts: what its page encodes is watched in another', () =>
  running('push-webcodecs', async (page) => {
    const encoder = await browser.watch(new URL('/encode', page).href);
    const tab = await browser.watch(page);
    const { videoCodec } = await tab.smoothFrames(60);
    assert.is(videoCodec, 'video/VP8');
    // It has no icon.
    const complaints = encoder.console.filter((line) => !line.includes('status of 404'));
    assert.equal(complaints, []);
    for (const each of [tab, encoder]) await each.page.close();
  }));

test.run();

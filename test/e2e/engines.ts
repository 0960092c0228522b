import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../support/child.ts';
import { Chromium } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { withPrograms } from '../support/fake-programs.ts';
import { RUNTIMES } from '../support/runtimes.ts';
import { type Announcement, serveCommand, startServer } from '../support/server.ts';

const test = suite('the choice of an engine');
let browser: Chromium;

test.before(async () => {
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
});

/** Programs of this machine by name: nothing else is found. */
function real(...names: string[]): Record<string, string> {
  const folders = process.env.PATH?.split(':') ?? [];
  const where = (name: string) => folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  return Object.fromEntries(names.map((name) => [name, `exec ${where(name)} "$@"`]));
}

/** The one line of a command that could not start. */
async function refusal(child: Child): Promise<string> {
  assert.equal(await child.ending(), { code: 1, signal: null });
  assert.is(child.stdout, '');
  const said = child.stderr.split('\n').filter((line) => line.startsWith('fetch-whep: '));
  assert.is(said.length, 1, child.stderr);
  return said[0] ?? '';
}

for (const runtime of RUNTIMES) {
  test(`${runtime}: without addon and compiler the clip plays, and one line says on which engine`, async () => {
    await withPrograms(real('node'), async (PATH) => {
      const server = await startServer(runtime, [], { PATH, FETCH_WHEP_ADDON: '/nowhere/x.node' });
      try {
        assert.is(server.announcement.engine, 'portable');
        await server.live();
        const tab = await browser.watch(`${server.url}/play/demo`);
        await tab.smoothFrames(50);
        await tab.unmute();
        await eventually('sound', async () => (await tab.media()).audioEnergy > 0);
        await eventually('a frame number', () => tab.frameNumber());
        await tab.page.close();
        await server.viewers(0);
        assert.equal(await server.stop(), { code: 0, signal: null });
        const told = server.child.stderr.split('\n').filter((line) => line.includes('portable'));
        assert.is(told.length, 1, server.child.stderr);
        assert.match(told[0] ?? '', /using the portable engine, for few viewers.*native engine cannot be loaded/);
      } finally {
        server.child.kill('SIGKILL');
      }
    });
  });

  test(`${runtime}: where neither engine can be loaded, one line names both cures`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-test-'));
    try {
      cpSync('package.json', join(folder, 'package.json'));
      cpSync('dist', join(folder, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.node') });
      mkdirSync(join(folder, 'node_modules'));
      for (const name of readdirSync('node_modules').filter((each) => !each.includes('node-datachannel'))) {
        symlinkSync(resolve('node_modules', name), join(folder, 'node_modules', name));
      }
      const line = await refusal(new Child(runtime, 'dist/cli.js', ['serve', '--port', '0'], {}, folder));
      assert.match(line, /native engine is missing: .*scripts\/start.*; the portable engine cannot be loaded/);
      assert.match(line, 'npm install node-datachannel');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test(`${runtime}: the portable engine says that it takes no publishers and pulls from nobody`, async () => {
    const args = ['--port', '0', '--engine', 'portable', '--stream'];
    assert.match(await refusal(serveCommand(runtime, [...args, 'cam1=whip'])), /WHIP publishers.*native engine/);
    const pull = await refusal(serveCommand(runtime, [...args, 'cam1=whep:http://127.0.0.1:9/whep/x']));
    assert.match(pull, /pulls from no other server.*native engine/);
  });

  test(`${runtime}: the portable engine says what it does not do`, async () => {
    const server = await startServer(runtime, ['--engine', 'portable']);
    const portable = (await (await fetch(`${server.url}/webrtc/stats`)).json()) as { engine: string; limits: string[] };
    assert.is(portable.engine, 'portable');
    assert.ok(portable.limits.some((limit) => limit.includes('WHIP')));
    assert.equal(await server.stop(), { code: 0, signal: null });
  });
}

test('scripts/start serves where there is only Node', async () => {
  const basics = real('node', 'npm', 'bash', 'sh', 'id', 'cat', 'dirname', 'basename');
  await withPrograms(basics, async (PATH) => {
    const env = { PATH, HOME: PATH, FETCH_WHEP_ADDON: '/nowhere/x.node' };
    const child = spawn('scripts/start', ['--port', '0'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const ended = new Promise((done) => child.on('close', (code, signal) => done({ code, signal })));
    try {
      const line = await eventually(
        'the line that says where it listens',
        () => /^(\{.*\})\n/.exec(stdout)?.[1],
        20_000,
      );
      const { listening, engine } = JSON.parse(line) as Announcement;
      assert.is(engine, 'portable');
      assert.match(stderr, /^native engine: not built, cargo is missing/m);
      assert.is((await fetch(`${listening}/healthz`)).status, 200);
      child.kill('SIGTERM');
      assert.equal(await ended, { code: 0, signal: null });
    } finally {
      child.kill('SIGKILL');
    }
  });
});

test.run();

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Check, Verdict } from '../../src/cli/doctor/check.ts';
import { Child } from '../support/child.ts';
import { withPrograms } from '../support/fake-programs.ts';
import { freePort, hold } from '../support/ports.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';
import { atTerminal } from '../support/terminal.ts';

const test = suite('fetch-whep doctor');
const runtime = currentRuntime();

interface Report {
  code: number | null;
  verdict: Verdict;
  checks: Check[];
}

async function doctor(args: string[], env: Record<string, string> = {}): Promise<Report> {
  const child = new Child(runtime, 'dist/cli.js', ['doctor', '--json', ...args], env);
  const { code } = await child.ending(30_000);
  assert.is(child.stderr, '');
  const report = JSON.parse(child.stdout) as Omit<Report, 'code'>;
  for (const { verdict, cure } of report.checks) assert.is(cure === undefined, verdict === 'ok');
  return { code, ...report };
}

function found({ checks }: Report, name: string): Check {
  const check = checks.find((each) => each.name === name);
  if (check === undefined) throw new Error(`no check ${name} in ${JSON.stringify(checks)}`);
  return check;
}

/** The one `node` of this machine: what starts Deno needs it. */
function nodeAlone(): Record<string, string> {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const path = folders.map((folder) => join(folder, 'node')).find((each) => existsSync(each));
  return { node: `exec ${path} "$@"` };
}

test('on a healthy machine nothing is broken, and a viewer gets media', async () => {
  const port = await freePort();
  const report = await doctor(['--port', `${port}`, '--stream', 'cam1=rtp:0,0']);
  assert.equal(
    report.checks.map(({ name }) => name),
    [
      ...['engine', 'media', 'HTTP', 'stream cam1', 'candidates', 'WHEP round trip', 'access'],
      ...['UDP GSO', 'socket buffers', 'open files', 'ffmpeg', 'ffprobe'],
    ],
  );
  assert.equal([report.code, report.checks.filter(({ verdict }) => verdict === 'problem')], [0, []]);
  for (const name of ['engine', 'media', 'HTTP', 'stream cam1', 'candidates', 'UDP GSO', 'ffmpeg', 'ffprobe']) {
    assert.is(found(report, name).verdict, 'ok', name);
  }
  const [, packets] = /^answer after \d+ ms, picture after \d+ ms, (\d+) packets received$/.exec(
    found(report, 'WHEP round trip').found,
  ) ?? ['', '0'];
  assert.ok(Number(packets) >= 50, found(report, 'WHEP round trip').found);
  assert.match(found(report, 'engine').found, new RegExp(`^native, on ${runtime}, `));
  assert.match(found(report, 'candidates').found, /^127\.0\.0\.1:\d+ /);
  assert.match(found(report, 'ffmpeg').found, / with libx264 and libopus$/);
  assert.match(found(report, 'HTTP').found, `http://127.0.0.1:${port}`);
});

test('on a crippled machine each fault is named with its cure, and a viewer still gets media', async () => {
  const server = await startServer(runtime, []);
  const port = new URL(server.url).port;
  await withPrograms(
    nodeAlone(),
    async (folder) => {
      const args = ['--port', port, '--stream', 'film=ffmpeg:film.mp4'];
      const report = await doctor(args, { FETCH_WHEP_NO_GSO: '1', PATH: folder });
      assert.equal([report.code, report.verdict], [1, 'problem']);
      const { found: busy, verdict } = found(report, 'HTTP');
      assert.equal(
        [busy, verdict],
        [`port ${port} on 127.0.0.1 is in use: choose another, or end what listens there`, 'problem'],
      );
      assert.equal(found(report, 'ffmpeg'), {
        name: 'ffmpeg',
        verdict: 'problem',
        found: 'not on the PATH',
        cure: 'install FFmpeg (Debian: apt-get install ffmpeg)',
      });
      assert.is(found(report, 'ffprobe').verdict, 'problem');
      assert.equal(found(report, 'UDP GSO'), {
        name: 'UDP GSO',
        verdict: 'warning',
        found: 'switched off by FETCH_WHEP_NO_GSO',
        cure: 'unset FETCH_WHEP_NO_GSO: sending costs more without',
      });
      assert.is(found(report, 'WHEP round trip').verdict, 'ok');
    },
    { hideOthers: true },
  );
  assert.equal(await server.stop(), { code: 0, signal: null });
});

test('FFmpeg that lacks an encoder is a warning where no stream needs it', async () => {
  const encoders = `echo 'ffmpeg version 9.9 Copyright'; echo ' A..... libopus              libopus Opus'`;
  await withPrograms({ ...nodeAlone(), ffmpeg: encoders, ffprobe: 'exit 1' }, async (folder) => {
    const path = `${folder}${delimiter}${process.env.PATH}`;
    const none = await doctor(['--port', '0'], { PATH: path });
    assert.equal([none.code, none.verdict], [0, 'warning']);
    assert.is(found(none, 'ffmpeg').found, '9.9 without libx264, which no stream needs now');
    assert.match(found(none, 'ffprobe').found, /^cannot be run: /);
    const needed = await doctor(['--port', '0', '--stream', 'a=ffmpeg:a.mp4'], { PATH: path });
    assert.equal([needed.code, found(needed, 'ffmpeg').verdict], [1, 'problem']);
    assert.is(found(needed, 'ffmpeg').found, '9.9 without libx264');
  });
});

test('UDP ports that somebody else has are named, those of media and those of a stream', async () => {
  const busy = await hold('127.0.0.1', 0);
  if (busy === undefined) throw new Error('there is no free port');
  const media = await doctor(['--port', '0', '--media-port', `${busy.port}`]);
  assert.is(media.code, 1);
  assert.match(found(media, 'media').found, new RegExp(`UDP port ${busy.port} .*`));
  assert.is(found(media, 'WHEP round trip').verdict, 'ok', 'on another port');
  const stream = await doctor(['--port', '0', '--stream', `cam1=rtp:${busy.port}`]);
  assert.equal([stream.code, found(stream, 'stream cam1').verdict], [1, 'problem']);
  assert.match(found(stream, 'stream cam1').found, new RegExp(`${busy.port}`));
  await busy.release();
});

test('a certificate that has ended is a problem', async () => {
  const tls = (name: string) => ['--tls-cert', `test/support/tls/${name}.pem`, '--tls-key', 'test/support/tls/key.pem'];
  const ended = await doctor(['--port', '0', ...tls('expired')]);
  assert.equal([ended.code, found(ended, 'HTTPS').verdict, found(ended, 'certificate').verdict], [1, 'ok', 'problem']);
  assert.match(found(ended, 'certificate').found, / is valid until 2026-11-24$/);
  assert.is(found(await doctor(['--port', '0', ...tls('cert')]), 'certificate').verdict, 'ok');
});

test('without the addon the portable engine is a warning, and a viewer gets media from it', async () => {
  const report = await doctor(['--port', '0'], { FETCH_WHEP_ADDON: '/nowhere.node' });
  assert.equal([report.code, report.verdict], [0, 'warning']);
  assert.match(found(report, 'engine').found, /^portable, /);
  assert.match(
    found(report, 'WHEP round trip').found,
    /^answer after \d+ ms, picture after \d+ ms, \d+ packets received$/,
  );
  assert.match(found(report, 'candidates').found, /^127\.0\.0\.1:\d+ /);
});

test('without its addon the native engine is a problem, and no viewer is tried', async () => {
  const report = await doctor(['--port', '0', '--engine', 'native'], { FETCH_WHEP_ADDON: '/nowhere.node' });
  assert.is(report.code, 1);
  assert.match(found(report, 'engine').found, /^the native engine cannot be loaded /);
  assert.ok(report.checks.every(({ name }) => name !== 'WHEP round trip'));
});

test('a media address that others cannot reach is a warning where HTTP can be reached', async () => {
  const report = await doctor(['--port', '0', '--host', '0.0.0.0', '--media-host', '127.0.0.1']);
  assert.match(found(report, 'candidates').found, /^127\.0\.0\.1:\d+: nobody else can reach them$/);
  const told = await doctor(['--port', '0', '--host', '::', '--announce', '192.0.2.7']);
  assert.match(found(told, 'candidates').found, /(^|, )192\.0\.2\.7:\d+/);
  assert.equal([found(told, 'candidates').verdict, found(told, 'WHEP round trip').verdict], ['ok', 'ok']);
});

test('who may do what is told, and a server that keeps others out is tried all the same', async () => {
  assert.is(found(await doctor(['--port', '0', '--host', '0.0.0.0']), 'access').verdict, 'warning');
  const tokens = ['--token', 'a', '--publish-token', 'b', '--observe-token', 'c', '--admin-token', 'd'];
  const paths = ['--base-path', '/live', '--base-path-stripped', 'on', '--trusted-proxy', '127.0.0.1'];
  const closed = await doctor(['--port', '0', ...tokens, ...paths]);
  assert.equal([found(closed, 'access').verdict, found(closed, 'WHEP round trip').verdict], ['ok', 'ok']);
  const partly = await doctor(['--port', '0', '--open', 'observe', '--stream', 'a=whip']);
  assert.equal([found(partly, 'watching').verdict, found(partly, 'publishing').verdict], ['warning', 'warning']);
  assert.is(found(partly, 'WHEP round trip').verdict, 'ok');
});

test('a person gets a table with the cures below, in colours on a terminal alone', async () => {
  const plain = new Child(runtime, 'dist/cli.js', ['doctor', '--port', '0'], { FETCH_WHEP_NO_GSO: '1' });
  assert.is((await plain.ending(30_000)).code, 0);
  assert.match(plain.stdout, /^ok {7}engine {11}native, on /m);
  assert.match(plain.stdout, /^warning {2}UDP GSO {10}switched off .*\n {26}-> unset FETCH_WHEP_NO_GSO/m);
  assert.match(plain.stdout, /\n\n0 problems, \d warnings?\n$/);
  const green = '\x1b[32mok       \x1b[0mengine';
  const command = ['doctor', '--port', '0'];
  assert.ok((await atTerminal(command)).includes(green));
  for (const said of [plain.stdout, await atTerminal(command, { NO_COLOR: '1' })]) assert.not(said.includes(green));
});

test.run();

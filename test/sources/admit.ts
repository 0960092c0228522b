import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Failure } from '../../src/errors.ts';
import { admit } from '../../src/sources/admit.ts';
import { fenced } from '../../src/sources/ffmpeg/fence.ts';
import { ffmpegSource } from '../../src/sources/ffmpeg.ts';
import { ADMIN_SOURCES, type AdminSource, DEFAULT_ADMIN_SOURCES, sourceSchema } from '../../src/sources/spec.ts';
import { validate } from '../../src/validate.ts';
import { adminAttacks } from '../support/admin-attacks.ts';
import { eventually } from '../support/eventually.ts';
import { withPrograms } from '../support/fake-programs.ts';
import { startOn } from '../support/legs.ts';

const test = suite('sources that come over HTTP');
const targets = { tcp: 9, udp: 9, secret: '/etc/hostname', made: '/nowhere/made' };

/** Undefined when it is let in. */
async function refusal(source: unknown, may: readonly AdminSource[]): Promise<Failure | undefined> {
  try {
    await admit(validate(sourceSchema, source, 'source'), may);
    return undefined;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

test('an attack is refused as a wrong option, and not as an error of ours', async () => {
  for (const attack of adminAttacks(targets)) {
    const failure = await refusal(attack, [...DEFAULT_ADMIN_SOURCES, 'ffmpeg']);
    assert.is(failure?.code, 'invalid-options', JSON.stringify(attack));
    assert.match(failure?.message ?? '', /^source/);
  }
});

test('a refusal names the input without its secrets, and the word that would let it in', async () => {
  const may: AdminSource[] = [...DEFAULT_ADMIN_SOURCES, 'ffmpeg'];
  const cases: [source: unknown, word: AdminSource, named: RegExp][] = [
    ['ffmpeg:lavfi:testsrc2', 'ffmpeg-unsafe', /source\.ffmpeg\.input: lavfi:testsrc2/],
    ['ffmpeg:/films/a.mp4', 'ffmpeg-unsafe', /\/films\/a\.mp4/],
    [
      { ffmpeg: { input: 'http://203.0.113.7/', videoFilter: 'fps=5' } },
      'ffmpeg-unsafe',
      /source\.ffmpeg\.videoFilter/,
    ],
    [{ ffmpeg: { input: 'http://203.0.113.7/', args: ['-f', 'hls'] } }, 'ffmpeg-unsafe', /source\.ffmpeg\.args: -f/],
    ['ffmpeg:rtsp://me:hunter@192.168.1.9/live', 'private', /192\.168\.1\.9/],
    ['ffmpeg:udp://239.1.2.3:5000', 'private', /239\.1\.2\.3/],
    ['whep:http://me:hunter@10.0.0.1/whep/x', 'private', /source\.whep\.url: 10\.0\.0\.1/],
  ];
  for (const [source, word, named] of cases) {
    const { message = '' } = (await refusal(source, may)) ?? {};
    assert.match(message, named);
    assert.match(message, `add "${word}" to adminSources`);
    assert.not.match(message, 'hunter');
    assert.is(await refusal(source, [...may, word]), undefined, `${word} lets it in`);
  }
});

test('a kind that was not named is refused, whatever it is', async () => {
  const sources: Partial<Record<AdminSource, unknown>> = {
    rtp: 'rtp:0',
    whip: 'whip',
    whep: 'whep:http://203.0.113.7/',
    push: 'push',
    clip: 'clip',
    ffmpeg: 'ffmpeg:http://203.0.113.7/',
  };
  for (const [kind, source] of Object.entries(sources)) {
    const others = ADMIN_SOURCES.filter((word) => word !== kind && word !== 'ffmpeg-unsafe');
    assert.match((await refusal(source, others))?.message ?? '', `add "${kind}" to adminSources`);
    assert.is((await refusal(source, DEFAULT_ADMIN_SOURCES)) === undefined, kind !== 'ffmpeg', kind);
    assert.is(await refusal(source, ADMIN_SOURCES), undefined, kind);
  }
});

test('FFmpeg is told which protocols it may use, and no camera leads it to a port', () => {
  const args = (input: string, anywhere = false, given: string[] = []) => fenced({ input, args: given }, anywhere).args;
  assert.equal(args('http://cam/', true), ['-protocol_whitelist', 'http,https,httpproxy,tcp,tls,crypto']);
  const [option, formats = 'hls'] = args('http://cam/')?.slice(2) ?? [];
  assert.is(option, '-format_whitelist');
  assert.not.match(formats, /hls|dash|concat|applehttp|sdp|rtsp/);
  assert.equal(args('rtsp://cam/'), ['-protocol_whitelist', 'tcp', '-rtsp_transport', 'tcp']);
  assert.equal(args('RTSP://cam/', true), ['-protocol_whitelist', 'tcp,rtp,udp']);
  assert.equal(args('srt://cam:9?mode=caller&latency=1'), ['-protocol_whitelist', 'srt']);
  assert.equal(args('srt://0.0.0.0:9?mode=listener', true), ['-protocol_whitelist', 'srt']);
  assert.equal(args('rtsp://me:p@w@cam:554/live?x=1', false, ['-rtsp_transport', 'tcp', '-rw_timeout', '5000000']), [
    ...['-protocol_whitelist', 'tcp', '-rtsp_transport', 'tcp', '-rw_timeout', '5000000'],
  ]);
  for (const input of ['http', 'https', 'rtsp', 'rtsps', 'rtmp', 'rtmps', 'srt', 'udp', 'rtp']) {
    assert.not.match(args(`${input}://cam:9/`, true)?.[1] ?? 'file', /file|data|concat|pipe|subfile|unix|fd/);
  }
});

test("exceptions from the operator's proxy are none from ours", async () => {
  const before = process.env.no_proxy;
  process.env.no_proxy = 'localhost,127.0.0.1';
  try {
    await withPrograms(
      {
        ffprobe: 'env >"$(dirname "$0")/new"; mv "$(dirname "$0")/new" "$(dirname "$0")/env"; exit 1',
        ffmpeg: 'exit 1',
      },
      async (folder) => {
        for (const [may, passed] of [
          [['ffmpeg'], false],
          [['ffmpeg', 'private'], true],
        ] as const) {
          const source = await admit({ ffmpeg: { input: 'http://203.0.113.7/' } }, may);
          await startOn(source, { video: 9 });
          await eventually('a look at the input', () => existsSync(join(folder, 'env')));
          assert.is(/^no_proxy=/m.test(readFileSync(join(folder, 'env'), 'utf8')), passed, may.join());
          await source.stop();
          rmSync(join(folder, 'env'));
        }
      },
    );
  } finally {
    if (before === undefined) delete process.env.no_proxy;
    else process.env.no_proxy = before;
  }
});

/** With which options ffprobe looks at it first. */
async function probedWith(input: string, may: readonly AdminSource[]): Promise<string> {
  let args = '';
  const record = 'd="$(dirname "$0")"; echo "$@" >"$d/new" && mv "$d/new" "$d/args"; exit 1';
  await withPrograms({ ffprobe: record, ffmpeg: 'exit 1' }, async (folder) => {
    const source = await admit({ ffmpeg: { input } }, may);
    await startOn(source, { video: 9 });
    await eventually('a look at the input', () => existsSync(join(folder, 'args')));
    args = readFileSync(join(folder, 'args'), 'utf8');
    await source.stop();
  });
  return args;
}

test('what comes over HTTP from outside is read through the proxy that leads nowhere else', async () => {
  const proxied = /-protocol_whitelist http,\S+ -format_whitelist \S+ -http_proxy http:\/\/127\.0\.0\.1:\d+ -i /;
  assert.match(await probedWith('https://203.0.113.7/', ['ffmpeg']), proxied);
  assert.match(await probedWith('HTTP://203.0.113.7/', ['ffmpeg']), proxied);
  assert.not.match(await probedWith('http://203.0.113.7/', ['ffmpeg', 'private']), '-http_proxy');
  assert.not.match(await probedWith('rtsp://203.0.113.7/', ['ffmpeg']), '-http_proxy');
});

test('where a name leads is looked at before each start', async () => {
  const noted = 'touch "$(dirname "$0")/ran"; exit 1';
  await withPrograms({ ffprobe: noted, ffmpeg: noted }, async (folder) => {
    // As if it had led elsewhere when it was let in.
    const source = ffmpegSource(fenced({ input: 'http://localhost:9/' }, false), true);
    await startOn(source, { video: 9 });
    await eventually('the second failure', () => (source.report?.().ffmpeg?.restarts ?? 0) > 1);
    assert.match(source.report?.().ffmpeg?.lastError ?? '', 'private');
    assert.not.match(source.report?.().ffmpeg?.lastError ?? '', 'localhost');
    await source.stop();
    assert.not(existsSync(join(folder, 'ran')));
  });
});

test.run();

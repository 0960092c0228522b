import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configure } from '../../src/cli/configuration.ts';
import { candidateCheck } from '../../src/cli/doctor/candidates.ts';
import type { Check } from '../../src/cli/doctor/check.ts';
import { ffmpegChecks } from '../../src/cli/doctor/ffmpeg.ts';
import { bufferCheck, fileLimit } from '../../src/cli/doctor/machine.ts';
import { withPrograms } from '../support/fake-programs.ts';

// What doctor makes of machines unlike this one.
const test = suite('verdicts of doctor');
const KIB = 1024;
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-verdicts-'));

test.after(() => rmSync(folder, { recursive: true, force: true }));

test('buffers that are smaller than asked for come with the settings that lift them', () => {
  const whole = { asked: 1024 * KIB, given: 1024 * KIB };
  const small = { asked: 4096 * KIB, given: 208 * KIB };
  assert.equal(bufferCheck(whole, whole), {
    name: 'socket buffers',
    verdict: 'ok',
    found: 'receive 1024 KiB, send 1024 KiB',
  });
  const { verdict, found, cure } = bufferCheck(small, whole);
  assert.equal([verdict, found], ['warning', 'receive 208 of 4096 KiB, send 1024 KiB']);
  assert.match(cure ?? '', /^sysctl -w net\.core\.rmem_max=4194304, and /);
  assert.match(
    bufferCheck(small, small).cure ?? '',
    /^sysctl -w net\.core\.rmem_max=4194304 net\.core\.wmem_max=4194304, /,
  );
});

test('a limit of open files below what the viewers may need is a warning', () => {
  assert.is(fileLimit(1).verdict, 'ok');
  const { verdict, found, cure } = fileLimit(2 ** 40);
  assert.is(verdict, 'warning');
  assert.match(found, /^at most \d+, fewer than 1099511627776 viewers may need$/);
  assert.match(cure ?? '', /LimitNOFILE=1099511628032/);
});

test('where there is no shell to run FFmpeg under, sources that need it are a problem', async () => {
  const verdicts = async (...args: string[]) =>
    (await ffmpegChecks(configure(args).settings, '/nowhere/sh')).map(({ name, verdict }) => [name, verdict]);
  assert.equal(await verdicts('--stream', 'film=ffmpeg:film.mp4'), [['ffmpeg', 'problem']]);
  assert.equal(await verdicts('--stream', 'cam=rtp:0'), [['ffmpeg', 'warning']]);
});

test('FFmpeg is asked for the encoders that streams are told to use, and for AV1', async () => {
  const listed = (names: string[]) =>
    `echo 'ffmpeg version 5.1.9 Copyright'; ${names.map((each) => `echo ' V..... ${each} x'`).join('; ')}`;
  const judged = (streams: object, ...names: string[]) => {
    const path = join(folder, 'c.json');
    writeFileSync(path, JSON.stringify({ streams }));
    let checks: Check[] = [];
    return withPrograms({ ffmpeg: listed(names), ffprobe: 'exit 1' }, async () => {
      checks = await ffmpegChecks(configure(['--config', path]).settings);
    }).then(() => checks.find(({ name }) => name === 'ffmpeg'));
  };
  const film = (spec: object) => ({ film: { ffmpeg: { input: 'film.mp4', ...spec } } });
  const usual = ['libx264', 'libopus'];
  assert.is((await judged(film({}), ...usual))?.verdict, 'ok');
  const copied = await judged(film({ video: 'copy', audio: 'none' }), 'libopus');
  assert.equal([copied?.verdict, copied?.found], ['warning', '5.1.9 without libx264, which no stream needs now']);
  const vp8 = await judged(film({ video: 'vp8', audio: 'pcmu' }), ...usual, 'pcm_mulaw');
  assert.equal([vp8?.verdict, vp8?.found], ['problem', '5.1.9 without libvpx']);
  // Another encoder's name begins with it.
  assert.is((await judged(film({ video: 'vp8' }), ...usual, 'libvpx-vp9'))?.verdict, 'problem');
  const av1 = await judged(film({ video: 'av1' }), ...usual, 'libaom-av1');
  assert.equal([av1?.verdict, av1?.found], ['problem', '5.1.9 cannot send AV1 by RTP']);
});

/** The verdict on an answer with candidates of these addresses. */
function verdict(addresses: string[], ...args: string[]): [verdict: string, found: string] {
  const lines = addresses.map((address, index) => `a=candidate:${index} 1 UDP 2122317823 ${address} 5000 typ host\r\n`);
  const { verdict, found } = candidateCheck(`v=0\r\n${lines.join('')}`, configure(args));
  return [verdict, found];
}

test('candidates are judged by who is to reach them', () => {
  assert.is(verdict(['127.0.0.1'], '--trusted-proxy', '127.0.0.1')[0], 'warning');
  const open = ['--host', '0.0.0.0'];
  assert.equal(verdict(['127.0.0.1']), ['ok', '127.0.0.1:5000 (this machine alone, as --host says)']);
  assert.equal(verdict(['127.0.0.1', '::1'], ...open), [
    'warning',
    '127.0.0.1:5000, [::1]:5000: nobody else can reach them',
  ]);
  const inside = [
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.1',
    '192.168.1.1',
    '169.254.0.1',
    '100.64.0.1',
    'fd00::1',
    'fe80::1',
  ];
  for (const address of inside) assert.match(verdict([address], ...open)[1], /: private addresses alone$/, address);
  for (const address of ['203.0.113.7', '172.32.0.1', '100.128.0.1', '2001:db8::1']) {
    assert.is(verdict(['10.1.2.3', address], ...open)[0], 'ok', address);
  }
  assert.is(verdict(['10.1.2.3'], ...open, '--announce', '10.9.9.9')[0], 'ok', 'the operator knows the network');
});

test.run();

import { Buffer } from 'node:buffer';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseSps } from '../../src/engine/portable/sps.ts';
import { Failure } from '../../src/errors.ts';
import type { FfmpegSpec } from '../../src/sources/ffmpeg/spec.ts';
import { ffmpegSource } from '../../src/sources/ffmpeg.ts';
import { eventually } from '../support/eventually.ts';
import { withPrograms } from '../support/fake-programs.ts';
import { makeFilm } from '../support/film.ts';
import { ffmpegsOn, ingressOf, Legs, running, startOn } from '../support/legs.ts';
import { processes } from '../support/process.ts';

const test = suite('ffmpeg source, with the real FFmpeg');

const picture = 'lavfi:testsrc2=size=320x180:rate=30';
const withSound = `${picture}[out0];sine=frequency=1000[out1]`;
const usual = {
  ...{ kind: 'rtp', host: '127.0.0.1' },
  ...{ video: { port: 0, codec: 'h264' }, audio: { port: 0, codec: 'opus' } },
};
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-ffmpeg-'));

test.after(() => rmSync(folder, { recursive: true, force: true }));

const film = (name: string, ...encoding: string[]) => makeFilm(join(folder, name), ...encoding);

const h264 = ['-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '30'];

async function refused(spec: FfmpegSpec): Promise<Failure> {
  try {
    await ingressOf(ffmpegSource(spec));
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error(`${spec.input} was accepted`);
}

/** The NAL units in RTP payloads (RFC 6184 §5.2); those in aggregates too. Of fragments the first, from its header on. */
function nalUnits(datagrams: Uint8Array[]): Uint8Array[] {
  return datagrams.flatMap((datagram) => {
    const payload = datagram.subarray(12);
    const type = (payload[0] ?? 0) & 0x1f;
    if (type === 28) return (payload[1] ?? 0) & 0x80 ? [payload.subarray(1)] : [];
    if (type !== 24) return [payload];
    const units: Uint8Array[] = [];
    for (let at = 1; at + 2 < payload.length; ) {
      const size = (payload[at] ?? 0) * 256 + (payload[at + 1] ?? 0);
      units.push(payload.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
    return units;
  });
}

function nalTypes(datagrams: Uint8Array[]): number[] {
  return nalUnits(datagrams).map(([header = 0]) => header & 0x1f);
}

/** Width and height, from the parameter sets. */
function pictureSize(datagrams: Uint8Array[]): number[] | undefined {
  const set = nalUnits(datagrams).find(([header = 0]) => (header & 0x1f) === 7);
  const sps = set && parseSps(Buffer.from(set));
  return sps && [sps.width, sps.height];
}

/** The same MP4 file, to be shown turned by a quarter: ISO/IEC 14496-12 §8.3.2, the matrix of its first track. */
function turned(path: string): string {
  const bytes = readFileSync(path);
  const track = bytes.indexOf('tkhd');
  const matrix = bytes.indexOf(Buffer.from('000100000000000000000000', 'hex'), track);
  Buffer.from('000000000001000000000000ffff000000000000', 'hex').copy(bytes, matrix);
  const copy = path.replace('.mp4', '-turned.mp4');
  writeFileSync(copy, bytes);
  return copy;
}

function timestamp(datagram: Uint8Array): number {
  return new DataView(datagram.buffer, datagram.byteOffset).getUint32(4);
}

test('opens the legs that the input has', async () => {
  const { video, audio, ...rest } = usual;
  assert.equal(await ingressOf(ffmpegSource({ input: picture })), { ...rest, video });
  assert.equal(await ingressOf(ffmpegSource({ input: withSound })), usual);
  assert.equal(await ingressOf(ffmpegSource({ input: 'lavfi:sine' })), { ...rest, audio });
  const mute = ffmpegSource({ input: withSound, audio: 'none' });
  assert.equal(await ingressOf(mute), { ...rest, video });
});

test('an input that cannot be read is named, with the reason', async () => {
  const missing = await refused({ input: '/nowhere/film.mp4' });
  assert.is(missing.code, 'invalid-options');
  assert.match(missing.message, /\/nowhere\/film\.mp4: .*No such file/);
  assert.is((await refused({ input: 'lavfi:nosuchfilter' })).code, 'invalid-options');
});

test('options that belong to no input are refused before FFmpeg runs', async () => {
  const failure = await refused({ input: picture, args: ['-nosuchoption', '1'] });
  assert.match(failure.message, 'nosuchoption');
});

test('what cannot be copied is refused by name', async () => {
  assert.match((await refused({ input: picture, video: 'copy' })).message, /is rawvideo.*leave out video/);
  assert.match((await refused({ input: 'lavfi:sine', audio: 'copy' })).message, /is pcm_.*leave out audio/);
  assert.match((await refused({ input: picture, video: 'none' })).message, 'nothing to send');
});

test('a URL that does not answer yet gets both legs', async () => {
  const source = ffmpegSource({ input: 'tcp://127.0.0.1:9' });
  assert.equal(await ingressOf(source), usual);
});

test('without FFmpeg the failure says what to install', async () => {
  await withPrograms(
    {},
    async () => {
      const failure = await refused({ input: 'tcp://127.0.0.1:9' });
      assert.is(failure.code, 'ffmpeg-missing');
      assert.match(failure.message, /^[^\n]*install[^\n]*$/);
    },
    { hideOthers: true },
  );
});

test('sends H264 and Opus in datagrams of at most 1200 bytes, and tells how it is doing', async () => {
  const source = ffmpegSource({ input: withSound });
  await running(source, async ({ datagrams }) => {
    await eventually('media on both legs', () => datagrams.video.length > 60 && datagrams.audio.length > 30);
    for (const datagram of [...datagrams.video, ...datagrams.audio]) assert.ok(datagram.length <= 1200);
    assert.ok(nalTypes(datagrams.video).includes(7), 'parameter sets are in-band');
    const { ffmpeg } = await eventually('progress', () => {
      const report = source.report?.();
      return (report?.ffmpeg?.progress.frames ?? 0) > 0 && report;
    });
    assert.equal([ffmpeg?.state, ffmpeg?.restarts, ffmpeg?.lastError], ['running', 0, undefined]);
    assert.equal([ffmpeg?.video, ffmpeg?.audio], ['h264', 'opus']);
    assert.ok((ffmpeg?.progress.speed ?? 0) > 0);
    assert.equal([ffmpeg?.progress.duplicated, ffmpeg?.progress.dropped], [0, 0]);
  });
  assert.is(source.report?.().ffmpeg?.state, 'stopped');
});

test('copies H264 without B-frames and Opus, each keyframe with its parameter sets, over and over', async () => {
  const input = film("it's plain.mp4", ...h264, '-bf', '0', '-c:a', 'libopus');
  const source = ffmpegSource({ input });
  await running(source, async ({ datagrams }) => {
    // One a second, two in a round; each picture has several slices.
    const keyframes = () => new Set(datagrams.video.filter((each) => nalTypes([each]).includes(5)).map(timestamp)).size;
    await eventually('the third keyframe, in the second round', () => keyframes() > 2 && datagrams.audio.length > 0);
    const types = nalTypes(datagrams.video);
    const before = types.flatMap((type, index) => (type === 5 && types[index - 1] !== 5 ? [index] : []));
    for (const index of before) {
      const unit = types.slice(Math.max(0, index - 4), index);
      assert.ok(unit.includes(7) && unit.includes(8), `${unit} before a keyframe`);
    }
    const { ffmpeg } = source.report?.() ?? {};
    assert.equal([ffmpeg?.video, ffmpeg?.audio], ['copy', 'copy']);
  });
});

test('plays a bare stream without time stamps over and over', async () => {
  const source = ffmpegSource({ input: 'src/sources/clip/clip.h264' });
  await running(source, async ({ datagrams }) => {
    await eventually('media', () => datagrams.video.length > 30);
    assert.equal([datagrams.audio.length, source.report?.().ffmpeg?.video], [0, 'h264']);
  });
});

test('encodes what browsers cannot show: B-frames, other codecs, other formats', async () => {
  const cases = [
    film('reordered.mp4', ...h264, '-bf', '2', '-preset', 'fast', '-c:a', 'aac'),
    film('mpeg4.mkv', '-c:v', 'mpeg4', '-c:a', 'aac'),
    film('444.mp4', '-pix_fmt', 'yuv444p', '-c:v', 'libx264', '-bf', '0', '-c:a', 'aac'),
  ];
  for (const input of cases) {
    const source = ffmpegSource({ input });
    await running(source, async ({ datagrams }) => {
      await eventually(`media of ${input}`, () => datagrams.video.length > 5 && datagrams.audio.length > 5);
      const { ffmpeg } = source.report?.() ?? {};
      assert.equal([ffmpeg?.video, ffmpeg?.audio], ['h264', 'opus'], input);
    });
  }
});

test('encodes what browsers would show wrongly: a turned picture, and fields, which become pictures', async () => {
  const upright = film('upright.mp4', ...h264, '-bf', '0', '-c:a', 'libopus');
  const fields = film(
    'fields.mp4',
    '-vf',
    'interlace',
    '-flags',
    '+ildct+ilme',
    ...h264,
    '-bf',
    '0',
    '-c:a',
    'libopus',
  );
  const cases: [input: string, size: number[]][] = [
    [turned(upright), [180, 320]],
    [fields, [320, 180]],
  ];
  for (const [input, size] of cases) {
    const source = ffmpegSource({ input });
    await running(source, async ({ datagrams }) => {
      assert.equal(await eventually(`the size of ${input}`, () => pictureSize(datagrams.video)), size);
      assert.is(source.report?.().ffmpeg?.video, 'h264', input);
    });
  }
});

test('a filter, a bitrate, a preset and the distance of keyframes reach the encoder', async () => {
  const source = ffmpegSource({
    input: film('filtered.mp4', ...h264, '-bf', '0'),
    videoFilter: 'fps=10',
    videoBitrate: 300_000,
    preset: 'ultrafast',
    gopSeconds: 0.5,
  });
  await running(source, async ({ datagrams }) => {
    const pictures = () => new Set(datagrams.video.map(timestamp)).size;
    await eventually('pictures', () => pictures() > 21);
    assert.is(source.report?.().ffmpeg?.video, 'h264');
    const keyframes = new Set(datagrams.video.filter((each) => nalTypes([each]).includes(5)).map(timestamp));
    assert.ok(keyframes.size >= 4, `${keyframes.size} keyframes in ${pictures()} pictures of 0.1 s`);
  });
});

test('a file that is not looped ends, and no other FFmpeg follows', async () => {
  const source = ffmpegSource({ input: film('short.mp4', ...h264, '-bf', '0', '-c:a', 'libopus'), loop: false });
  await running(source, async ({ datagrams }, ports) => {
    await eventually('its end', () => source.report?.().ffmpeg?.state === 'stopped');
    assert.ok(datagrams.video.length > 30);
    assert.equal([ffmpegsOn(ports), source.report?.().ffmpeg?.restarts], [[], 0]);
  });
});

test('a killed FFmpeg says goodbye by us and is replaced', async () => {
  const source = ffmpegSource({ input: picture });
  await running(source, async ({ datagrams }, ports) => {
    await eventually('media', () => datagrams.video.length > 10);
    const ssrc = datagrams.video[0]?.subarray(8, 12);
    const [first] = ffmpegsOn(ports);
    if (first === undefined) throw new Error('no FFmpeg to kill');
    process.kill(first.pid, 'SIGKILL');
    await eventually('its end', () => processes().every(({ pid }) => pid !== first.pid));
    const bye = await eventually('RTCP BYE', () => datagrams.video.find((each) => each[1] === 203));
    assert.equal([bye.length, bye[0], [...bye.subarray(4)]], [8, 0x81, [...(ssrc ?? [])]]);
    datagrams.video.length = 0;
    await eventually('media again', () => datagrams.video.length > 10);
    assert.not.equal([...(datagrams.video[0]?.subarray(8, 12) ?? [])], [...(ssrc ?? [])]);
    const { ffmpeg } = source.report?.() ?? {};
    assert.equal([ffmpeg?.state, ffmpeg?.restarts], ['running', 1]);
    assert.match(ffmpeg?.lastError ?? '', /^signal 9/);
  });
});

test('stop leaves no process', async () => {
  const legs = new Legs();
  const source = ffmpegSource({ input: picture });
  const ports = await legs.open();
  await ingressOf(source);
  await startOn(source, ports);
  await eventually('FFmpeg', () => ffmpegsOn(ports).length > 0);
  await source.stop();
  assert.equal(ffmpegsOn(ports), []);
  await source.stop();
  legs.close();
});

test.run();

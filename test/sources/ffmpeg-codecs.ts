import { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Failure } from '../../src/errors.ts';
import { ffmpegSource } from '../../src/sources/ffmpeg.ts';
import { eventually } from '../support/eventually.ts';
import { withPrograms } from '../support/fake-programs.ts';
import { makeFilm } from '../support/film.ts';
import { ingressOf, running, startOn } from '../support/legs.ts';

const test = suite('ffmpeg source, other codecs than H264 and Opus');

const picture = 'lavfi:testsrc2=size=320x180:rate=30';
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-codecs-'));

test.after(() => rmSync(folder, { recursive: true, force: true }));

const timestamp = (datagram: Uint8Array) => new DataView(datagram.buffer, datagram.byteOffset).getUint32(4);

/** The types of the NAL units in RTP payloads (RFC 7798 §4.4); of fragments the first alone counts. */
function h265Types(datagram: Uint8Array): number[] {
  const payload = datagram.subarray(12);
  const type = ((payload[0] ?? 0) >> 1) & 0x3f;
  if (type === 49) return (payload[2] ?? 0) & 0x80 ? [(payload[2] ?? 0) & 0x3f] : [];
  if (type !== 48) return [type];
  const types: number[] = [];
  for (let at = 2; at + 2 < payload.length; at += 2 + (payload[at] ?? 0) * 256 + (payload[at + 1] ?? 0)) {
    types.push(((payload[at + 2] ?? 0) >> 1) & 0x3f);
  }
  return types;
}

/** Whether a keyframe begins in the datagram: by start code (RFC 6386 §9.1), sync code (VP9 §6.2), IDR picture. */
const BEGINS = {
  vp8: (datagram: Uint8Array) => Buffer.from(datagram.subarray(12, 30)).includes(Buffer.from('9d012a', 'hex')),
  vp9: (datagram: Uint8Array) => Buffer.from(datagram.subarray(12, 18)).includes(Buffer.from('498342', 'hex')),
  h265: (datagram: Uint8Array) => h265Types(datagram).some((type) => type === 19 || type === 20),
};

const keyframes = (codec: keyof typeof BEGINS, datagrams: Uint8Array[]) => [
  ...new Set(datagrams.filter((each) => BEGINS[codec](each)).map(timestamp)),
];

/** VPS, SPS and PPS (ITU-T H.265 table 7-1) come before each keyframe; none is one at which a decoder had to skip. */
function checkSets(datagrams: Uint8Array[]): void {
  const types = datagrams.flatMap(h265Types);
  const first = types.flatMap((type, index) => (BEGINS_AT.includes(type) && types[index - 1] !== type ? [index] : []));
  for (const index of first) {
    const before = types.slice(Math.max(0, index - 5), index);
    for (const set of [32, 33, 34]) assert.ok(before.includes(set), `${before} before a keyframe`);
  }
  assert.not(types.includes(21), 'no CRA');
}
const BEGINS_AT = [19, 20];

for (const codec of ['vp8', 'vp9', 'h265'] as const) {
  test(`encodes to ${codec} with keyframes by time, in datagrams of at most 1200 bytes`, async () => {
    const source = ffmpegSource({ input: picture, video: codec, gopSeconds: 0.5 });
    assert.equal(await ingressOf(source), { kind: 'rtp', host: '127.0.0.1', video: { port: 0, codec } });
    await running(source, async ({ datagrams }) => {
      const times = await eventually('three keyframes', () => {
        const found = keyframes(codec, datagrams.video);
        return found.length > 2 && found;
      });
      const [first = 0, second = 0] = times;
      // Ticks of 90 kHz; a frame of 30 a second has 3000.
      assert.ok(Math.abs(((second - first) >>> 0) - 45_000) <= 3000, `${times}`);
      for (const datagram of datagrams.video) assert.ok(datagram.length <= 1200);
      if (codec === 'h265') checkSets(datagrams.video);
      assert.is(source.report?.().ffmpeg?.video, codec);
    });
  });
}

const FILMS: Record<keyof typeof BEGINS, [name: string, ...encoding: string[]]> = {
  vp8: ['vp8.webm', '-c:v', 'libvpx', '-deadline', 'realtime', '-g', '30', '-c:a', 'libopus'],
  vp9: ['vp9.webm', ...['-pix_fmt', 'yuv420p', '-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-g', '30', '-an']],
  h265: [
    'h265.mp4',
    ...['-pix_fmt', 'yuv420p', '-c:v', 'libx265', '-preset', 'ultrafast', '-an'],
    ...['-x265-params', 'bframes=0:open-gop=0:keyint=30:scenecut=0:log-level=error'],
  ],
};

for (const codec of ['vp8', 'vp9', 'h265'] as const) {
  test(`copies ${codec} when told to, over and over`, async () => {
    const [name, ...encoding] = FILMS[codec];
    const source = ffmpegSource({ input: makeFilm(join(folder, name), ...encoding), video: 'copy' });
    await running(source, async ({ datagrams }) => {
      await eventually('a keyframe of the second round', () => keyframes(codec, datagrams.video).length > 2);
      if (codec === 'h265') checkSets(datagrams.video);
      const { ffmpeg } = source.report?.() ?? {};
      assert.equal([ffmpeg?.video, ffmpeg?.restarts], ['copy', 0]);
    });
  });
}

test('without a word about it, what every browser plays comes of other codecs', async () => {
  const [name, ...encoding] = FILMS.vp8;
  const source = ffmpegSource({ input: makeFilm(join(folder, `plain-${name}`), ...encoding) });
  await running(source, async ({ datagrams }) => {
    await eventually('media', () => datagrams.video.length > 5 && datagrams.audio.length > 5);
    const { ffmpeg } = source.report?.() ?? {};
    assert.equal([ffmpeg?.video, ffmpeg?.audio], ['h264', 'copy']);
  });
});

for (const [codec, payloadType] of [
  ['pcmu', 0],
  ['pcma', 8],
  ['g722', 9],
] as const) {
  test(`encodes sound to ${codec}, 20 ms in each packet`, async () => {
    const source = ffmpegSource({ input: 'lavfi:sine', audio: codec });
    assert.equal(await ingressOf(source), { kind: 'rtp', host: '127.0.0.1', audio: { port: 0, codec } });
    await running(source, async ({ datagrams }) => {
      const packets = () => datagrams.audio.filter((each) => ((each[1] ?? 0) & 0x7f) === payloadType);
      await eventually('packets', () => packets().length > 20);
      const [first, second] = packets().slice(5, 7).map(timestamp);
      assert.equal(new Set(packets().map(({ length }) => length - 12)), new Set([160]));
      assert.is(((second ?? 0) - (first ?? 0)) >>> 0, 160);
    });
  });
}

test('copies G711 at its own rate, and refuses another', async () => {
  const pcmu = (name: string, rate: string) =>
    makeFilm(join(folder, name), '-vn', '-map', '1:a', '-c:a', 'pcm_mulaw', '-ar', rate, '-ac', '1');
  const source = ffmpegSource({ input: pcmu('8.mkv', '8000'), audio: 'copy' });
  assert.equal(await ingressOf(source), { kind: 'rtp', host: '127.0.0.1', audio: { port: 0, codec: 'pcmu' } });
  const wrong = ffmpegSource({ input: pcmu('16.mkv', '16000'), audio: 'copy' });
  const failure = await ingressOf(wrong).catch((error: unknown) => error);
  assert.ok(failure instanceof Failure && failure.code === 'invalid-options');
  assert.match(failure.message, /is pcm_mulaw and cannot be copied/);
});

const says = (codec: string) => `echo '{"streams":[{"codec_type":"video","codec_name":"${codec}"}]}'`;
const version = (text: string) => `echo 'ffmpeg version ${text} Copyright'`;

test('an FFmpeg that cannot send AV1 is named with its version and the cure, copied or encoded', async () => {
  for (const spec of [{ video: 'av1' } as const, { video: 'copy' } as const]) {
    await withPrograms({ ffprobe: says('av1'), ffmpeg: version('5.1.9-0+deb12u1') }, async () => {
      const failure = await ingressOf(ffmpegSource({ input: 'a.mkv', ...spec })).catch((error: unknown) => error);
      assert.ok(failure instanceof Failure && failure.code === 'invalid-options');
      assert.match(failure.message, /^FFmpeg 5\.1\.9-0\+deb12u1 cannot send AV1 by RTP: install FFmpeg 8/);
    });
    await withPrograms({ ffprobe: says('av1'), ffmpeg: version('8.0') }, async () => {
      const ingress = await ingressOf(ffmpegSource({ input: 'a.mkv', ...spec }));
      assert.equal(ingress, { kind: 'rtp', host: '127.0.0.1', video: { port: 0, codec: 'av1' } });
    });
  }
});

test('a URL that is to be copied is looked at first, since its leg is of one codec', async () => {
  const url = 'tcp://127.0.0.1:9';
  await withPrograms({ ffprobe: says('hevc'), ffmpeg: 'exit 1' }, async () => {
    const ingress = await ingressOf(ffmpegSource({ input: url, video: 'copy', audio: 'none' }));
    assert.equal(ingress, { kind: 'rtp', host: '127.0.0.1', video: { port: 0, codec: 'h265' } });
    // What is encoded is known without a look.
    const encoded = await ingressOf(ffmpegSource({ input: url, video: 'vp8', audio: 'g722' }));
    assert.equal(encoded, {
      ...{ kind: 'rtp', host: '127.0.0.1' },
      ...{ video: { port: 0, codec: 'vp8' }, audio: { port: 0, codec: 'g722' } },
    });
  });
});

test('a URL that did not answer gets H264, and what it turns out to be is not sent as that', async () => {
  const probe = `if [ -e "$(dirname "$0")/up" ]; then ${says('hevc')}; else touch "$(dirname "$0")/up"; exit 1; fi`;
  await withPrograms({ ffprobe: probe, ffmpeg: 'exec sleep 300' }, async () => {
    const source = ffmpegSource({ input: 'tcp://127.0.0.1:9', video: 'copy', audio: 'none' });
    const ingress = await ingressOf(source);
    assert.equal(ingress, { kind: 'rtp', host: '127.0.0.1', video: { port: 0, codec: 'h264' } });
    await startOn(source, { video: 9 });
    const said = await eventually('the reason', () => source.report?.().ffmpeg?.lastError);
    assert.match(said, /video of the input is H265, and the stream was made for H264/);
    await source.stop();
  });
});

test.run();

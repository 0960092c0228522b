import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { VIDEO_CODECS, type VideoCodec } from '../../src/engine/codecs.ts';
import { Failure } from '../../src/errors.ts';
import { parseSource } from '../../src/options.ts';
import { ffmpegArguments } from '../../src/sources/ffmpeg/command.ts';
import { masked, maskFor } from '../../src/sources/ffmpeg/mask.ts';
import { type Plan, planOf, requireSame, sentBy } from '../../src/sources/ffmpeg/plan.ts';
import type { InputFacts } from '../../src/sources/ffmpeg/probe.ts';
import { type Progress, readProgress } from '../../src/sources/ffmpeg/progress.ts';
import type { FfmpegSpec } from '../../src/sources/ffmpeg/spec.ts';
import { lacksAv1, versionOf } from '../../src/sources/ffmpeg/version.ts';

const test = suite('ffmpeg: what is read and what is written');

const outputs = { video: { port: 5004, ssrc: 7 }, audio: { port: 5006, ssrc: 8 } };
const h264 = { codec: 'h264', sent: 'h264', playable: true } as const;
const opus = { codec: 'opus', sent: 'opus', playable: true } as const;

function fault(ffmpeg: object): string {
  try {
    parseSource({ ffmpeg } as { ffmpeg: FfmpegSpec }, 'cam');
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
  return 'nothing is wrong';
}

/** The arguments as one text. */
function command(spec: FfmpegSpec, plan: Plan, finite = false, video: InputFacts['video'] = h264): string {
  return ffmpegArguments(spec, plan, { finite, video }, outputs).join(' ');
}

test('every wrong key is named, with what to write', () => {
  const cases: [object, RegExp][] = [
    [{}, /^cam\.ffmpeg\.input: give a file, a URL or lavfi:GRAPH$/],
    [{ input: '' }, /^cam\.ffmpeg\.input: give a file/],
    [{ input: 'x', video: 'theora' }, /^cam\.ffmpeg\.video: give "copy", "none" or one of h264, vp8, vp9, av1, h265$/],
    [{ input: 'x', audio: 'aac' }, /^cam\.ffmpeg\.audio: give "copy", "none" or one of opus, g722, pcmu, pcma$/],
    [{ input: 'x', audio: 'multiopus' }, /^cam\.ffmpeg\.audio: give "copy"/],
    [{ input: 'x', video: 'none', audio: 'none' }, /^cam\.ffmpeg: leaves nothing to send/],
    [{ input: 'x', video: 'copy', videoFilter: 'fps=5' }, /^cam\.ffmpeg\.videoFilter: needs an encoder/],
    [{ input: 'x', video: 'vp8', preset: 'fast' }, /^cam\.ffmpeg\.preset: is of H264 and H265 alone/],
    [{ input: 'x', videoBitrate: 5 }, /^cam\.ffmpeg\.videoBitrate: give bits per second/],
    [{ input: 'x', gopSeconds: 60 }, /^cam\.ffmpeg\.gopSeconds: give seconds/],
    [{ input: 'x', preset: 'warp' }, /^cam\.ffmpeg\.preset: give one of ultrafast/],
    [{ input: 'x', stallSeconds: 0 }, /^cam\.ffmpeg\.stallSeconds: give seconds/],
    [{ input: 'x', gop: 60 }, /^cam\.ffmpeg\.gop: no such option/],
  ];
  for (const [spec, expected] of cases) assert.match(fault(spec), expected);
});

test('options of the input come in pairs, and none of them writes or reads elsewhere', () => {
  const wrong = [
    ['-re', '/etc/passwd'].slice(0, 1),
    ['-y', 'x'],
    ['-i', '/etc/passwd'],
    ['-o', '/tmp/x'],
    ['-report', 'x'],
    ['rtsp_transport', 'tcp'],
    ['-rtsp_transport', 'tcp', 'out.mp4'],
    '-rtsp_transport tcp',
  ];
  for (const args of wrong) assert.match(fault({ input: 'x', args }), /^cam\.ffmpeg\.args(\.\d)?: give options/);
  assert.is(fault({ input: 'x', args: ['-rtsp_transport', 'tcp', '-timeout', '5000000'] }), 'nothing is wrong');
});

test('what browsers can play is copied, the rest encoded, unless told otherwise', () => {
  const reordered = { ...h264, playable: false };
  const plan = (spec: Partial<FfmpegSpec>, video: InputFacts['video'] = h264, audio: InputFacts['audio'] = opus) =>
    planOf({ input: 'film.mp4', ...spec }, { ...(video && { video }), ...(audio && { audio }) });
  assert.equal(plan({}), { video: 'copy', audio: 'copy' });
  assert.equal(plan({}, reordered), { video: 'h264', audio: 'copy' });
  assert.equal(plan({ video: 'copy' }, reordered), { video: 'copy', audio: 'copy' });
  assert.equal(plan({ video: 'h264', audio: 'opus' }), { video: 'h264', audio: 'opus' });
  assert.equal(plan({ audio: 'none' }), { video: 'copy' });
  assert.equal(plan({ videoFilter: 'fps=5' }), { video: 'h264', audio: 'copy' });
  assert.equal(plan({ args: ['-f', 'mp4'] }), { video: 'h264', audio: 'copy' }, 'it could not be looped');
  assert.equal(plan({ args: ['-f', 'mp4'], loop: false }), { video: 'copy', audio: 'copy' });
  // Not every browser has these.
  const vp9 = { codec: 'vp9', sent: 'vp9', playable: true } as const;
  const pcmu = { codec: 'pcm_mulaw', sent: 'pcmu', playable: true } as const;
  assert.equal(plan({}, vp9, pcmu), { video: 'h264', audio: 'opus' });
  const copied = plan({ video: 'copy', audio: 'copy' }, vp9, pcmu);
  assert.equal(copied, { video: 'copy', audio: 'copy' });
  assert.equal(sentBy(copied, { video: vp9, audio: pcmu }), { video: 'vp9', audio: 'pcmu' });
  assert.equal(plan({ video: 'av1', audio: 'g722' }, vp9, pcmu), { video: 'av1', audio: 'g722' });
  assert.throws(() => plan({ video: 'copy' }, { codec: 'mpeg4', playable: false }), /is mpeg4 and cannot be copied/);
  assert.throws(() => plan({ audio: 'copy' }, h264, { ...pcmu, playable: false }), /is pcm_mulaw and cannot be copied/);
});

test('a leg that was made for one codec takes no other', () => {
  requireSame({ video: 'h264', audio: 'opus' }, { video: 'h264' });
  requireSame({ video: 'h264' }, { video: 'h264', audio: 'pcmu' });
  assert.throws(
    () => requireSame({ video: 'h264' }, { video: 'h265' }),
    (error: unknown) =>
      error instanceof Failure && error.code === 'invalid-options' && /H265.*H264.*"h264"/.test(error.message),
  );
});

test('files are played in real time and over and over, live inputs as they come', () => {
  const encoded: Plan = { video: 'h264' };
  assert.match(command({ input: 'film.mp4' }, encoded), '-stream_loop -1 -re -i film.mp4 ');
  assert.match(command({ input: 'film.mp4', loop: false }, encoded), /pipe:1 -re -i film\.mp4 /);
  assert.match(command({ input: 'lavfi:sine' }, { audio: 'opus' }), '-re -f lavfi -i sine ');
  const camera = { input: 'rtsp://cam/live', args: ['-rtsp_transport', 'tcp'] };
  assert.match(command(camera, encoded), '-fflags nobuffer -rtsp_transport tcp -i rtsp://cam/live ');
  assert.match(command({ input: 'http://x/film.mp4' }, encoded, true), /pipe:1 -re -i http:/);
});

test('a copy has its parameter sets before each keyframe', () => {
  const filter = '-c:v copy -bsf:v h264_mp4toannexb,dump_extra=freq=keyframe ';
  assert.match(command({ input: 'rtsp://cam/live' }, { video: 'copy' }), filter);
  assert.match(command({ input: 'film.mp4', loop: false }, { video: 'copy' }), filter);
  // The concat demuxer does it for a file that is looped.
  const looped = command({ input: '/films/it is.mp4' }, { video: 'copy' });
  assert.not.match(looped, 'bsf');
  const [, list = ''] = /-stream_loop -1 -re -f concat -safe 0 -i data:text\/plain;base64,(\S+)/.exec(looped) ?? [];
  assert.is(atob(list), "ffconcat version 1.0\nfile 'file:/films/it is.mp4'\n");
});

test('a copy of each codec is what its receivers need', () => {
  const copy = (sent: VideoCodec, spec: Partial<FfmpegSpec> = {}) =>
    command({ input: 'film.mkv', ...spec }, { video: 'copy' }, true, { codec: sent, sent, playable: true });
  // Nothing is unpacked, so FFmpeg loops the file by itself.
  assert.match(copy('vp8'), /-stream_loop -1 -re -i film\.mkv -map 0:V:0 -c:v copy -ssrc 7 /);
  for (const codec of ['vp9', 'av1'] as const) {
    assert.match(copy(codec), /-stream_loop -1 -re -i film\.mkv -map 0:V:0 -c:v copy -strict experimental -ssrc 7 /);
  }
  const filter = '-c:v copy -bsf:v hevc_mp4toannexb,dump_extra=freq=keyframe -ssrc 7';
  assert.match(copy('h265', { loop: false }), filter);
  assert.match(copy('h265', { args: ['-f', 'matroska'] }), /pipe:1 -re -f matroska -i film\.mkv /);
  const looped = copy('h265', { input: '/films/it.mp4' });
  assert.match(looped, filter);
  const [, list = ''] = /pipe:1 -re -f concat -safe 0 -i data:text\/plain;base64,(\S+)/.exec(looped) ?? [];
  const lines = atob(list).trimEnd().split('\n');
  assert.equal([lines[0], new Set(lines.slice(1)).size, lines.length], ['ffconcat version 1.0', 1, 1001]);
  // An argument of Linux has 128 KiB.
  assert.ok(copy('h265', { input: `/${'long/'.repeat(800)}a.mp4` }).length < 120_000);
});

test('each encoder holds nothing back and makes keyframes by time', () => {
  const parts: Record<VideoCodec, string[]> = {
    h264: ['-c:v libx264', '-preset veryfast', '-tune zerolatency', '-bf 0'],
    h265: [
      '-c:v libx265',
      '-preset ultrafast',
      '-tune zerolatency',
      'open-gop=0:min-keyint=1:bframes=0:info=0:log-level=error',
      '-maxrate 300000',
    ],
    vp8: ['-c:v libvpx ', '-deadline realtime', '-lag-in-frames 0', '-auto-alt-ref 0', '-b:v 300000'],
    vp9: ['-c:v libvpx-vp9', '-deadline realtime', '-lag-in-frames 0', '-b:v 300000', '-strict experimental'],
    av1: ['-c:v libaom-av1', '-usage realtime', '-lag-in-frames 0', '-b:v 300000', '-strict experimental'],
  };
  for (const codec of VIDEO_CODECS) {
    const text = command({ input: 'film.mp4', videoBitrate: 300_000, gopSeconds: 1 }, { video: codec });
    for (const part of [...parts[codec], 'format=yuv420p', 'expr:gte(t,n_forced*1)']) {
      assert.ok(text.includes(part), `${part} in ${text}`);
    }
  }
  assert.match(command({ input: 'a', preset: 'fast' }, { video: 'h265' }), '-c:v libx265 -preset fast ');
});

test('sound is cut into 20 ms at the rate that RTP has for it', () => {
  const sound = (codec: 'pcmu' | 'pcma' | 'g722') => command({ input: 'a' }, { audio: codec });
  assert.match(sound('pcmu'), '-c:a pcm_mulaw -ar 8000 -ac 1 -af aresample=8000,asetnsamples=160:p=0 ');
  assert.match(sound('pcma'), '-c:a pcm_alaw -ar 8000 -ac 1 -af aresample=8000,asetnsamples=160:p=0 ');
  assert.match(sound('g722'), '-c:a g722 -ar 16000 -ac 1 -frame_size 320 ');
});

test('an FFmpeg that cannot send AV1 is known by its version', () => {
  const old = ['5.1.9-0+deb12u1', '7.1', 'n7.0.2', '4.4.2-0ubuntu0.22.04.1'];
  const able = ['8.0', 'n8.0.1', '9.0.2', 'N-118000-gabcdef', 'of unknown version', '2026-01-05-git-2892815c45-full'];
  for (const version of old) assert.is(lacksAv1(version), true, version);
  for (const version of able) assert.is(lacksAv1(version), false, version);
  assert.is(versionOf('ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026'), '5.1.9-0+deb12u1');
});

test('the encoder makes no B-frames and a keyframe every two seconds', () => {
  const text = command({ input: 'rtsp://cam/live' }, { video: 'h264', audio: 'opus' });
  for (const part of ['-tune zerolatency', '-bf 0', 'expr:gte(t,n_forced*2)', '-maxrate 4000000', '-b:a 96000']) {
    assert.match(text, part);
  }
  assert.match(text, /-ssrc 7 -f rtp rtp:\/\/127\.0\.0\.1:5004\?pkt_size=1200\S* -map 0:a:0 .* -ssrc 8 -f rtp/);
});

test('fields become pictures before the encoder, unless the chain sees to it', () => {
  const filters = (spec: Partial<FfmpegSpec>, interlaced: boolean) => {
    const facts = { finite: true, video: { ...h264, interlaced } };
    const args = ffmpegArguments({ input: 'x', ...spec }, { video: 'h264' }, facts, outputs);
    return args[args.indexOf('-vf') + 1] ?? '';
  };
  assert.match(filters({}, true), /^yadif=deint=interlaced,scale=/);
  assert.match(filters({ videoFilter: 'fps=5' }, true), /^yadif=deint=interlaced,fps=5,scale=/);
  assert.match(filters({ videoFilter: 'bwdif,fps=5' }, true), /^bwdif,fps=5,scale=/);
  assert.match(filters({}, false), /^scale=/);
});

test('secrets of URLs and of options are masked', () => {
  assert.is(masked('rtsp://me:pw@cam/live?key=1'), 'rtsp://***@cam/live?***');
  assert.is(masked('open rtsp://me:p@w@cam/live?k=1: refused'), 'open rtsp://***@cam/live?***: refused');
  assert.is(masked("'srt://host:9000?passphrase=0123456789'"), "'srt://host:9000?***'");
  assert.is(masked('film.mp4'), 'film.mp4');
  const mask = maskFor(['-headers', 'Authorization: Bearer abc', '-rtsp_transport', 'tcp']);
  assert.is(mask('tcp Authorization: Bearer abc'), 'tcp ***');
  const nested = maskFor(['-username', 'anna', '-password', 'anna-0123456789', '-headers', 'X: 1\r\nCookie: sid=0123']);
  assert.is(nested('anna-0123456789 of anna sent\nCookie:\nsid=0123'), '*** of *** sent\nCookie:\n***');
});

test('of a path a part is shown, since it may be the secret', () => {
  const secret = '0123456789abcdef0123456789abcdef';
  const cases: [text: string, shown: string][] = [
    [`https://customer.example/${secret}/webRTC/play`, 'https://customer.example/012***/webRTC/play'],
    ['rtmp://live.example/app/key', 'rtmp://live.example/app/***'],
    ['http://origin.example:8080/whep/cam1', 'http://origin.example:8080/whep/cam1'],
    ['https://example.org', 'https://example.org'],
    ['srt://:9000?mode=listener', 'srt://***'],
    ['file:///films/a-long-name.mp4', 'file:///films/a-long-name.mp4'],
    ['rtsp://[::1]:554/live: failed', 'rtsp://[::1]:554/live: failed'],
  ];
  for (const [text, shown] of cases) assert.is(masked(text), shown);
  const mask = maskFor([], `rtsp://anna-maria:hunter-two@cam/${secret}?key=another-secret`);
  assert.is(
    mask(`[rtsp] no ${secret} for anna-maria, hunter-two or another-secret`),
    '[rtsp] no *** for ***, *** or ***',
  );
});

test('masking takes time in proportion to the text', () => {
  // Without a clock: a pattern that began anew at each letter would need minutes here.
  for (const text of [
    'a'.repeat(2_000_000),
    'a://'.repeat(200_000),
    '@'.repeat(500_000),
    'a.'.repeat(500_000),
    `a://${':'.repeat(500_000)}a`,
  ]) {
    assert.is(masked(`lavfi:${text}`).startsWith('lavfi:'), true);
  }
});

test('progress is read block by block, whatever the pieces', () => {
  const seen: [Progress, boolean][] = [];
  const read = readProgress((...each) => seen.push(each));
  const block = (time: number, speed: string) =>
    `frame=${time}\nfps=29.97\nstream_0_0_q=25.0\nout_time_us=${time}\ndup_frames=1\ndrop_frames=2\nspeed=${speed}\nprogress=continue\n`;
  for (const piece of `${block(0, 'N/A')}${block(60, '0.998x')}${block(60, '0.9x')}`.match(/.{1,7}/gs) ?? [])
    read(piece);
  const numbers = { framesPerSecond: 29.97, duplicated: 1, dropped: 2 };
  assert.equal(seen, [
    [{ frames: 0, ...numbers }, false],
    [{ frames: 60, ...numbers, speed: 0.998 }, true],
    [{ frames: 60, ...numbers, speed: 0.9 }, false],
  ]);
});

test.run();

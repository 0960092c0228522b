import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Failure } from '../../src/errors.ts';
import { parseSource } from '../../src/options.ts';
import { ffmpegArguments } from '../../src/sources/ffmpeg/command.ts';
import { masked, maskFor } from '../../src/sources/ffmpeg/mask.ts';
import { type Plan, planOf } from '../../src/sources/ffmpeg/plan.ts';
import { type Progress, readProgress } from '../../src/sources/ffmpeg/progress.ts';
import type { FfmpegSpec } from '../../src/sources/ffmpeg/spec.ts';

const test = suite('ffmpeg: what is read and what is written');

const outputs = { video: { port: 5004, ssrc: 7 }, audio: { port: 5006, ssrc: 8 } };
const h264 = { codec: 'h264', playable: true };
const opus = { codec: 'opus', playable: true };

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
function command(spec: FfmpegSpec, plan: Plan, finite = false): string {
  return ffmpegArguments(spec, plan, { finite }, outputs).join(' ');
}

test('every wrong key is named, with what to write', () => {
  const cases: [object, RegExp][] = [
    [{}, /^cam\.ffmpeg\.input: give a file, a URL or lavfi:GRAPH$/],
    [{ input: '' }, /^cam\.ffmpeg\.input: give a file/],
    [{ input: 'x', video: 'hevc' }, /^cam\.ffmpeg\.video: give "copy", "h264" or "none"$/],
    [{ input: 'x', audio: 'aac' }, /^cam\.ffmpeg\.audio: give "copy", "opus" or "none"$/],
    [{ input: 'x', video: 'none', audio: 'none' }, /^cam\.ffmpeg: leaves nothing to send/],
    [{ input: 'x', video: 'copy', videoFilter: 'fps=5' }, /^cam\.ffmpeg\.videoFilter: needs the encoder/],
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
  const reordered = { codec: 'h264', playable: false };
  const plan = (spec: Partial<FfmpegSpec>, video = h264, audio = opus) =>
    planOf({ input: 'film.mp4', ...spec }, { video, audio });
  assert.equal(plan({}), { video: 'copy', audio: 'copy' });
  assert.equal(plan({}, reordered), { video: 'h264', audio: 'copy' });
  assert.equal(plan({ video: 'copy' }, reordered), { video: 'copy', audio: 'copy' });
  assert.equal(plan({ video: 'h264', audio: 'opus' }), { video: 'h264', audio: 'opus' });
  assert.equal(plan({ audio: 'none' }), { video: 'copy' });
  assert.equal(plan({ videoFilter: 'fps=5' }), { video: 'h264', audio: 'copy' });
  assert.equal(plan({ args: ['-f', 'mp4'] }), { video: 'h264', audio: 'copy' }, 'it could not be looped');
  assert.equal(plan({ args: ['-f', 'mp4'], loop: false }), { video: 'copy', audio: 'copy' });
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

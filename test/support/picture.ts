import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { VIDEO_CODECS, type VideoCodec } from '../../src/engine/codecs.ts';
import { sendAv1 } from './av1-rtp.ts';

/**
 * A filter graph that draws colour bars, and below them its own frame number: 16 blocks, white for 1, most significant
 * first, and under those the same inverted. The built-in clip has the same two rows. `testsrc2` as the `pattern` moves,
 * and takes whatever bit rate the encoder is given.
 */
export function numberedBars({ width = 640, height = 360, rate = 30, pattern = 'smptebars' } = {}): string {
  const strip = Math.round(height / 9);
  const block = width / 16;
  const bit = `mod(floor(N/pow(2,15-floor(X/${block}))),2)`;
  const number = `color=size=${width}x${strip}:rate=${rate},format=yuv420p,geq=lum='16+219*abs(lt(Y,${strip / 2})-(1-${bit}))':cb=128:cr=128`;
  return `${pattern}=size=${width}x${height - strip}:rate=${rate},format=yuv420p[top];${number}[bottom];[top][bottom]vstack`;
}

/** The bars of `smptebars` from left to right, as roughly what a decoder makes of them. */
export const BARS: readonly (readonly [number, number, number])[] = [
  [180, 180, 180],
  [180, 180, 16],
  [16, 180, 180],
  [16, 180, 16],
  [180, 16, 180],
  [180, 16, 16],
  [16, 16, 180],
];

/** The user's own encoders, without frames that wait for others. */
const ENCODERS: Readonly<Record<VideoCodec, readonly string[]>> = {
  h264: ['-c:v', 'libx264', '-preset', 'veryfast', '-profile:v', 'baseline', '-tune', 'zerolatency'],
  vp8: ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-lag-in-frames', '0', '-auto-alt-ref', '0'],
  vp9: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-lag-in-frames', '0', '-strict', '-2'],
  av1: ['-c:v', 'libsvtav1', '-preset', '12', '-svtav1-params', 'pred-struct=1:rc=2'],
  h265: ['-c:v', 'libx265', '-preset', 'ultrafast', '-tune', 'zerolatency', '-x265-params', 'open-gop=0:info=0'],
};

/** A benchmark's option: a codec that Chromium decodes here. */
export function browserCodec(name: string): VideoCodec {
  const codec = VIDEO_CODECS.find((each) => each === name && each !== 'h265');
  if (codec === undefined) throw new Error('--codec: give h264, vp8, vp9 or av1');
  return codec;
}

/** What makes an encoder keep to 2 Mbit/s; SVT-AV1 knows no more than the average. `gop`: frames. */
export function atTwoMegabits(codec: VideoCodec, gop = '60'): string[] {
  return ['-g', gop, '-b:v', '2M', ...(codec === 'av1' ? [] : ['-maxrate', '2M', '-bufsize', '2M'])];
}

/** The user's own FFmpeg: sends numbered bars and a tone to the ports, as the README says. */
export function sendRtp(
  { video, audio }: { video?: number; audio?: number },
  picture = numberedBars(),
  encoding: readonly string[] = ['-g', '60'],
  codec: VideoCodec = 'h264',
): ChildProcess {
  const sources = ['-re', '-f', 'lavfi', '-i', picture, '-re', '-f', 'lavfi', '-i', 'sine=frequency=1000'];
  const piped = codec === 'av1';
  const way = piped ? ['-flush_packets', '1', '-f', 'ivf', 'pipe:1'] : ['-f', 'rtp', `rtp://127.0.0.1:${video}`];
  const videoOut = ['-map', '0:v', ...ENCODERS[codec], ...encoding, '-pix_fmt', 'yuv420p', ...way];
  const audioOut = ['-map', '1:a', '-c:a', 'libopus', '-ac', '2', '-f', 'rtp', `rtp://127.0.0.1:${audio}`];
  const outputs = [...(video === undefined ? [] : videoOut), ...(audio === undefined ? [] : audioOut)];
  const ffmpeg = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...sources, ...outputs], {
    stdio: ['ignore', piped ? 'pipe' : 'ignore', 'inherit'],
    // What SVT-AV1 says beside FFmpeg: errors alone.
    env: { ...process.env, SVT_LOG: '1' },
  });
  if (ffmpeg.stdout !== null && video !== undefined) sendAv1(ffmpeg.stdout, video);
  return ffmpeg;
}

import { type ChildProcess, spawn } from 'node:child_process';

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

/** The user's own FFmpeg: sends numbered bars and a tone to the ports, as the README says. */
export function sendRtp(
  { video, audio }: { video?: number; audio?: number },
  picture = numberedBars(),
  encoding: readonly string[] = ['-g', '60'],
): ChildProcess {
  const sources = ['-re', '-f', 'lavfi', '-i', picture, '-re', '-f', 'lavfi', '-i', 'sine=frequency=1000'];
  const x264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-profile:v', 'baseline', '-tune', 'zerolatency'];
  const videoOut = [
    '-map',
    '0:v',
    ...x264,
    ...encoding,
    '-pix_fmt',
    'yuv420p',
    '-f',
    'rtp',
    `rtp://127.0.0.1:${video}`,
  ];
  const audioOut = ['-map', '1:a', '-c:a', 'libopus', '-ac', '2', '-f', 'rtp', `rtp://127.0.0.1:${audio}`];
  const outputs = [...(video === undefined ? [] : videoOut), ...(audio === undefined ? [] : audioOut)];
  return spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...sources, ...outputs], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

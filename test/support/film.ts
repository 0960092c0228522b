import type { Buffer } from 'node:buffer';
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

/** Two seconds of H264 in an MPEG transport stream. */
export async function film(): Promise<Buffer> {
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=64x64:rate=10', '-t', '2'];
  const video = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-bf', '0', '-g', '10'];
  const args = ['-loglevel', 'error', ...picture, ...video, '-f', 'mpegts', 'pipe:1'];
  const { stdout } = await promisify(execFile)('ffmpeg', args, { encoding: 'buffer', maxBuffer: 1 << 24 });
  return stdout;
}

/** Makes a file of 2 s, picture and sound, with `encoding`. Gives its path. */
export function makeFilm(path: string, ...encoding: string[]): string {
  const picture = ['-f', 'lavfi', '-t', '2', '-i', 'testsrc2=size=320x180:rate=30'];
  const sound = ['-f', 'lavfi', '-t', '2', '-i', 'sine=frequency=1000'];
  execFileSync('ffmpeg', ['-y', '-loglevel', 'error', ...picture, ...sound, ...encoding, path]);
  return path;
}

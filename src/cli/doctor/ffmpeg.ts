import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';
import type { Settings } from '../../index.ts';
import { ENCODERS } from '../../sources/ffmpeg/encoders.ts';
import { lacksAv1, versionOf } from '../../sources/ffmpeg/version.ts';
import { type Check, ok, problem, reason, warning } from './check.ts';

const INSTALL = 'install FFmpeg (Debian: apt-get install ffmpeg)';
/** Each answers in a fiftieth of this, on a machine that has time. Milliseconds. */
const PATIENCE = 10_000;

/**
 * FFmpeg, its encoders, ffprobe, and the shell that guards both, which Windows lacks: broken without them only where a
 * stream needs them.
 */
export async function ffmpegChecks({ streams }: Settings, shell = '/bin/sh'): Promise<Check[]> {
  const specs = Object.values(streams).flatMap((source) =>
    'ffmpeg' in source && source.ffmpeg ? [source.ffmpeg] : [],
  );
  const told = new Set(specs.flatMap(({ video = 'h264', audio = 'opus' }) => [video, audio]));
  const lacking = (name: string, found: string, cure: string, needed = specs.length > 0) =>
    needed ? problem(name, found, cure) : warning(name, `${found}, which no stream needs now`, cure);
  if (!existsSync(shell)) {
    const cure = 'send RTP from an FFmpeg of your own (rtp:), or run the server in WSL or a container';
    return [lacking('ffmpeg', `there is no ${shell} to run it under`, cure)];
  }
  const look = async (program: string, args: string[], judge: (output: string) => Check): Promise<Check> => {
    try {
      return judge(await output(program, args));
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      return lacking(program, missing ? 'not on the PATH' : `cannot be run: ${reason(error)}`, INSTALL);
    }
  };
  // What streams are made of by default, and what they are told to be made of.
  const encoders = Object.entries(ENCODERS).flatMap(([codec, name]) => {
    const needed = told.has(codec as keyof typeof ENCODERS);
    return needed || codec === 'h264' || codec === 'opus' ? [{ name, needed }] : [];
  });
  return Promise.all([
    look('ffmpeg', ['-encoders'], (text) => {
      const absent = encoders.filter(({ name }) => !new RegExp(`^ \\S+ ${name} `, 'm').test(text));
      const version = versionOf(text);
      if (told.has('av1') && lacksAv1(version)) {
        return problem(
          'ffmpeg',
          `${version} cannot send AV1 by RTP`,
          'install a newer FFmpeg, or choose another codec',
        );
      }
      if (absent.length === 0) return ok('ffmpeg', `${version} with ${encoders.map(({ name }) => name).join(' and ')}`);
      const found = `${version} without ${absent.map(({ name }) => name).join(' and ')}`;
      return lacking(
        'ffmpeg',
        found,
        'install an FFmpeg built with it',
        absent.some(({ needed }) => needed),
      );
    }),
    look('ffprobe', ['-version'], (text) => ok('ffprobe', versionOf(text))),
  ]);
}

function output(program: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: PATIENCE, killSignal: 'SIGKILL' as const, env: process.env };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(`${stderr}\n${stdout}`);
      else reject(error);
    });
  });
}

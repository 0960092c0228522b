import { execFile } from 'node:child_process';
import process from 'node:process';
import type { Settings } from '../../index.ts';
import { type Check, ok, problem, reason, warning } from './check.ts';

/** What an ffmpeg source encodes with. */
const ENCODERS = ['libx264', 'libopus'];
const INSTALL = 'install FFmpeg (Debian: apt-get install ffmpeg)';
/** Each answers in a tenth of this. Milliseconds. */
const PATIENCE = 2000;

/** FFmpeg and ffprobe: broken without them only where a stream needs them. */
export function ffmpegChecks({ streams }: Settings): Promise<Check[]> {
  const needed = Object.values(streams).some((source) => 'ffmpeg' in source);
  const lacking = (name: string, found: string, cure: string) =>
    needed ? problem(name, found, cure) : warning(name, `${found}, which only ffmpeg: sources need`, cure);
  const look = async (program: string, args: string[], judge: (output: string) => Check): Promise<Check> => {
    try {
      return judge(await output(program, args));
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      return lacking(program, missing ? 'not on the PATH' : `cannot be run: ${reason(error)}`, INSTALL);
    }
  };
  return Promise.all([
    look('ffmpeg', ['-encoders'], (text) => {
      const absent = ENCODERS.filter((encoder) => !new RegExp(`^ \\S+ ${encoder} `, 'm').test(text));
      if (absent.length === 0) return ok('ffmpeg', `${versionOf(text)} with ${ENCODERS.join(' and ')}`);
      return lacking(
        'ffmpeg',
        `${versionOf(text)} without ${absent.join(' and ')}`,
        'install an FFmpeg built with them',
      );
    }),
    look('ffprobe', ['-version'], (text) => ok('ffprobe', versionOf(text))),
  ]);
}

function versionOf(text: string): string {
  return /^\w+ version (\S+)/m.exec(text)?.[1] ?? 'of unknown version';
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

import { execFile } from 'node:child_process';
import process from 'node:process';
import * as z from 'zod';
import { Failure } from '../../errors.ts';
import { inputArguments, isUrl, masked } from './command.ts';

export interface InputFacts {
  video: boolean;
  audio: boolean;
  /** The input knows how long it is. */
  finite: boolean;
}

/** An input that answers at all does so within this time. Milliseconds. */
const patience = 10_000;

const report = z.object({
  streams: z
    .array(
      z.object({ codec_type: z.string().optional(), disposition: z.object({ attached_pic: z.number() }).optional() }),
    )
    .default([]),
  format: z.object({ duration: z.string().optional() }).default({}),
});

/**
 * What ffprobe finds in `input`. Rejects with `ffmpeg-missing`, or with `invalid-options` and ffprobe's own words when
 * there is nothing to play.
 */
export async function probe(input: string): Promise<InputFacts> {
  const entries = 'stream=codec_type:stream_disposition=attached_pic:format=duration';
  const args = ['-v', 'error', '-show_entries', entries, '-of', 'json', ...inputArguments(input)];
  const { streams, format } = report.parse(JSON.parse(await ffprobe(input, args)));
  const has = (kind: string) => streams.some((each) => each.codec_type === kind && !each.disposition?.attached_pic);
  const facts = { video: has('video'), audio: has('audio'), finite: format.duration !== undefined };
  if (!facts.video && !facts.audio) throw unreadable(input, 'it has neither video nor audio');
  return facts;
}

/** A URL may answer later; a file or a graph that cannot be read is a mistake. */
export function isUnreachable(error: unknown, input: string): boolean {
  return isUrl(input) && !(error instanceof Failure && error.code === 'ffmpeg-missing');
}

function ffprobe(input: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: patience, killSignal: 'SIGKILL' as const, maxBuffer: 1 << 20, env: process.env };
    execFile('ffprobe', args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (error.code === 'ENOENT') {
        const text =
          'FFmpeg is missing: install it with ffprobe (Debian: apt-get install ffmpeg), or use an rtp source';
        reject(new Failure('ffmpeg-missing', text, { cause: error }));
      } else {
        const silent = `no answer within ${patience / 1000} s`;
        reject(unreadable(input, error.killed ? silent : (stderr.trim().split('\n').at(-1) ?? 'no reason given')));
      }
    });
  });
}

function unreadable(input: string, why: string): Failure {
  return new Failure('invalid-options', `FFmpeg cannot read ${masked(input)}: ${masked(why)}`);
}

import { Failure } from '../../errors.ts';
import { canLoopCopy, loops } from './command.ts';
import { masked } from './mask.ts';
import type { InputFacts } from './probe.ts';
import type { FfmpegSpec } from './spec.ts';

/** What becomes of each leg; absent for one that is not sent. */
export interface Plan {
  video?: 'copy' | 'h264';
  audio?: 'copy' | 'opus';
}

/** Copies what browsers can play, encodes what they cannot, unless told otherwise. Throws `invalid-options`. */
export function planOf(spec: FfmpegSpec, { video, audio }: Pick<InputFacts, 'video' | 'audio'>): Plan {
  const plan: Plan = {};
  if (video && spec.video !== 'none') {
    if (spec.video === 'copy' && video.codec !== 'h264') throw notCopied(spec, 'video', 'H264', video.codec);
    const copied = video.playable && spec.videoFilter === undefined && (!loops(spec) || canLoopCopy(spec));
    plan.video = spec.video ?? (copied ? 'copy' : 'h264');
  }
  if (audio && spec.audio !== 'none') {
    if (spec.audio === 'copy' && audio.codec !== 'opus') throw notCopied(spec, 'audio', 'Opus', audio.codec);
    plan.audio = spec.audio ?? (audio.playable ? 'copy' : 'opus');
  }
  if (!plan.video && !plan.audio) {
    throw new Failure(
      'invalid-options',
      `FFmpeg has nothing to send of ${masked(spec.input)}: what there is was left out`,
    );
  }
  return plan;
}

function notCopied(spec: FfmpegSpec, leg: 'video' | 'audio', wanted: string, codec: string): Failure {
  const input = masked(spec.input);
  const text = `the ${leg} of ${input} is ${codec} and cannot be copied: browsers want ${wanted}; leave out ${leg}`;
  return new Failure('invalid-options', text);
}

import { titleOf, type VideoCodec } from '../../engine/codecs.ts';
import { Failure } from '../../errors.ts';
import { canLoopCopy, loops } from './command.ts';
import type { SentAudio } from './encoders.ts';
import { masked } from './mask.ts';
import type { InputFacts } from './probe.ts';
import type { FfmpegSpec } from './spec.ts';

/** What becomes of each leg; absent for one that is not sent. */
export interface Plan {
  video?: 'copy' | VideoCodec;
  audio?: 'copy' | SentAudio;
}

/** What the legs are of that FFmpeg sends. */
export interface SentCodecs {
  video?: VideoCodec;
  audio?: SentAudio;
}

type Legs = Pick<InputFacts, 'video' | 'audio'>;

/** Copies H264 and Opus that browsers can play, encodes to these, unless told otherwise. Throws `invalid-options`. */
export function planOf(spec: FfmpegSpec, { video, audio }: Legs): Plan {
  const plan: Plan = {};
  if (video && spec.video !== 'none') {
    if (spec.video === 'copy' && video.sent === undefined) throw notCopied(spec, 'video', video.codec);
    // Every browser plays H264: of other codecs only who asks for it knows whether its viewers do.
    const fits = video.sent === 'h264' && video.playable;
    const copied = fits && spec.videoFilter === undefined && (!loops(spec) || canLoopCopy(spec));
    plan.video = spec.video ?? (copied ? 'copy' : 'h264');
  }
  if (audio && spec.audio !== 'none') {
    // RTP carries a few forms of sound alone.
    if (spec.audio === 'copy' && !(audio.sent && audio.playable)) throw notCopied(spec, 'audio', audio.codec);
    plan.audio = spec.audio ?? (audio.sent === 'opus' && audio.playable ? 'copy' : 'opus');
  }
  if (!plan.video && !plan.audio) {
    throw new Failure(
      'invalid-options',
      `FFmpeg has nothing to send of ${masked(spec.input)}: what there is was left out`,
    );
  }
  return plan;
}

/** What comes of a plan for an input. */
export function sentBy(plan: Plan, { video, audio }: Legs): SentCodecs {
  const videoCodec = plan.video === 'copy' ? video?.sent : plan.video;
  const audioCodec = plan.audio === 'copy' ? audio?.sent : plan.audio;
  return { ...(videoCodec && { video: videoCodec }), ...(audioCodec && { audio: audioCodec }) };
}

/** Throws `invalid-options` when a leg was opened for another codec: the input was not the same then, or did not answer. */
export function requireSame(opened: SentCodecs, sent: SentCodecs): void {
  for (const leg of ['video', 'audio'] as const) {
    const [before, now] = [opened[leg], sent[leg]];
    if (before === undefined || now === undefined || before === now) continue;
    const text = `the ${leg} of the input is ${titleOf(now)}, and the stream was made for ${titleOf(before)}`;
    throw new Failure('invalid-options', `${text}: remove and add it again, or have ${leg} encoded to "${before}"`);
  }
}

const COPIED: Readonly<Record<keyof Plan, string>> = {
  video: 'H264, VP8, VP9, AV1 or H265',
  audio: 'Opus of one or two channels, or PCMU, PCMA or G722 of one at the rate of telephones',
};

function notCopied(spec: FfmpegSpec, leg: keyof Plan, codec: string): Failure {
  const input = masked(spec.input);
  const text = `the ${leg} of ${input} is ${codec} and cannot be copied: browsers want ${COPIED[leg]}; leave out ${leg}`;
  return new Failure('invalid-options', text);
}

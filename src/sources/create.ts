import type { Codec } from '../engine/codecs.ts';
import { clipSource } from './clip.ts';
import { ffmpegSource } from './ffmpeg.ts';
import { pushSource } from './push.ts';
import { rtpSource } from './rtp.ts';
import { rtpOf } from './sdp.ts';
import type { Source } from './source.ts';
import type { SourceSpec } from './spec.ts';
import { whepSource } from './whep.ts';
import { whipSource } from './whip.ts';

/** What holds for sources beyond what their specs say. */
interface Terms {
  /** It never reads from this machine or a private network. */
  outside?: boolean;
  /** What publishers may send to a stream that does not say so itself, in our order of preference. */
  codecs?: readonly Codec[] | undefined;
}

/** The source that a spec stands for; a `Source` of the caller's own is taken as it is. Throws `invalid-options`. */
export function createSource(spec: SourceSpec | Source, { outside = false, codecs }: Terms = {}): Source {
  if ('start' in spec) return spec;
  if (spec.rtp) return rtpSource(spec.rtp);
  if (spec.sdp) return rtpSource(rtpOf(spec.sdp));
  if (spec.ffmpeg) return ffmpegSource(spec.ffmpeg, outside);
  if (spec.whip) return whipSource({ ...spec.whip, codecs: spec.whip.codecs ?? codecs });
  if (spec.whep) return whepSource(spec.whep, outside);
  if (spec.push) return pushSource(spec.push);
  return clipSource();
}

import { clipSource } from './clip.ts';
import { ffmpegSource } from './ffmpeg.ts';
import { pushSource } from './push.ts';
import { rtpSource } from './rtp.ts';
import type { Source } from './source.ts';
import type { SourceSpec } from './spec.ts';
import { whepSource } from './whep.ts';
import { whipSource } from './whip.ts';

/**
 * The source that a spec stands for; a `Source` of the caller's own is taken as it is. `outside`: it never reads from this
 * machine or a private network.
 */
export function createSource(spec: SourceSpec | Source, { outside = false } = {}): Source {
  if ('start' in spec) return spec;
  if (spec.rtp) return rtpSource(spec.rtp);
  if (spec.ffmpeg) return ffmpegSource(spec.ffmpeg, outside);
  if (spec.whip) return whipSource(spec.whip);
  if (spec.whep) return whepSource(spec.whep, outside);
  if (spec.push) return pushSource(spec.push.legs);
  return clipSource();
}

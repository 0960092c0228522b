import * as z from 'zod';
import { AUDIO_CODECS, type Codec, PUBLISHED_CODECS, VIDEO_CODECS, type VideoCodec } from '../engine/codecs.ts';

const VIDEO = `give one of ${VIDEO_CODECS.join(', ')}`;
export const AUDIO = `give one of ${AUDIO_CODECS.join(', ')}`;
const CODECS = `give a list of ${[...VIDEO_CODECS, ...AUDIO_CODECS].join(', ')}, each once`;
const CHANNELS = 'multiopus has 3 to 8 channels: give their number';

/** H265 has two names. */
export const videoCodec = z
  .enum([...VIDEO_CODECS, 'hevc'], VIDEO)
  .transform((name): VideoCodec => (name === 'hevc' ? 'h265' : name));
export const audioCodec = z.enum(AUDIO_CODECS, AUDIO);
/** Of multiopus, whose packets do not tell. */
export const channels = z.int(CHANNELS).min(3, CHANNELS).max(8, CHANNELS);

/** What publishers may send, in our order of preference; of video or audio that is not named at all, every codec. */
export const publishedCodecs = z
  .array(
    z
      .enum([...VIDEO_CODECS, 'hevc', ...AUDIO_CODECS], CODECS)
      .transform((name): Codec => (name === 'hevc' ? 'h265' : name)),
    CODECS,
  )
  .min(1, CODECS)
  .refine((names) => new Set(names).size === names.length, CODECS)
  .transform((names): readonly Codec[] => [
    ...names,
    ...PUBLISHED_CODECS.filter((codec) => !names.some((name) => isVideo(name) === isVideo(codec))),
  ])
  .readonly();

export function isVideo(codec: Codec): codec is VideoCodec {
  return VIDEO_CODECS.some((name) => name === codec);
}

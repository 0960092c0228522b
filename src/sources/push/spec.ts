import * as z from 'zod';
import { AUDIO, audioCodec, channels, videoCodec } from '../codecs.ts';
import { legList } from '../legs.ts';

const CHANNELS = 'multiopus has 3 to 8 channels: write { "codec": "multiopus", "channels": 6 }';

const audioObject = z.strictObject({ codec: audioCodec, channels: channels.optional() });

const audioLeg = z
  .union([audioCodec.transform((codec): z.output<typeof audioObject> => ({ codec })), audioObject], AUDIO)
  .refine(({ codec, channels }) => codec !== 'multiopus' || channels !== undefined, CHANNELS);

/** Frames from the program, each leg of one codec. */
export const pushSchema = z
  .strictObject({
    legs: legList.optional().describe('Default: those whose codec is named, else both'),
    video: videoCodec.optional().describe('Default: h264'),
    audio: audioLeg.optional().describe('Default: opus'),
  })
  .superRefine(({ legs, ...codecs }, context) => {
    for (const leg of ['video', 'audio'] as const) {
      if (!legs || legs.includes(leg) || codecs[leg] === undefined) continue;
      context.addIssue({ code: 'custom', path: [leg], message: 'name the leg in legs, or leave out its codec' });
    }
  })
  .transform(({ legs, video, audio }) => {
    const has = (leg: 'video' | 'audio') => legs?.includes(leg) ?? (!video && !audio);
    return {
      ...((video || has('video')) && { video: video ?? ('h264' as const) }),
      ...((audio || has('audio')) && { audio: audio ?? { codec: 'opus' as const } }),
    };
  });

export type PushSpec = z.output<typeof pushSchema>;

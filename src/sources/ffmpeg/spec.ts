import * as z from 'zod';
import { VIDEO_CODECS } from '../../engine/codecs.ts';

const INPUT = 'give a file, a URL or lavfi:GRAPH';
const ARGS = 'give options of the input in pairs, a name with its dash and a value, such as ["-rtsp_transport", "tcp"]';
const SOUNDS = ['opus', 'g722', 'pcmu', 'pcma'] as const;
const VIDEO = `give "copy", "none" or one of ${VIDEO_CODECS.join(', ')}`;
const AUDIO = `give "copy", "none" or one of ${SOUNDS.join(', ')}`;
const BITRATE = 'give bits per second, such as 2000000';
const GOP = 'give seconds from one keyframe to the next, from 0.1 to 10';
const FILTER = 'give a filter chain, such as "scale=1280:-2,fps=30"';
const STALL = 'give seconds, from 0.1 to 3600';
const LOOP = 'give true or false';

const presets = ['ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium', 'slow', 'slower', 'veryslow'];

/**
 * What stands between FFmpeg's program name and `-i`. ffprobe gets the same options first and refuses what belongs to no
 * input; these few it would take as its own.
 */
const args = z
  .array(z.string(ARGS), ARGS)
  .max(64, 'give at most 32 options')
  .refine((list) => list.length % 2 === 0 && list.every((each, index) => index % 2 === 1 || isOption(each)), ARGS)
  .readonly();

function isOption(text: string): boolean {
  return /^-[a-z][\w:]*$/i.test(text) && !/^-(i|o|y|n|report|h|L|version|print_format|show_\w+)$/.test(text);
}

/** An FFmpeg process of the server's own. */
export const ffmpegSchema = z
  .strictObject({
    input: z.string(INPUT).min(1, INPUT).describe('A file, a URL, or lavfi: and a filter graph'),
    args: args.optional().describe('FFmpeg options of the input, in pairs'),
    video: z
      .enum(['copy', ...VIDEO_CODECS, 'hevc', 'none'], VIDEO)
      .transform((name) => (name === 'hevc' ? 'h265' : name))
      .optional()
      .describe('Default: copy H264 that browsers can show, encode the rest to it'),
    audio: z
      .enum(['copy', ...SOUNDS, 'none'], AUDIO)
      .optional()
      .describe('Default: copy Opus, encode the rest to it'),
    videoBitrate: z.int(BITRATE).min(50_000, BITRATE).max(100_000_000, BITRATE).optional().describe('Default 4000000'),
    audioBitrate: z.int(BITRATE).min(6_000, BITRATE).max(510_000, BITRATE).optional().describe('Default 96000'),
    gopSeconds: z.number(GOP).min(0.1, GOP).max(10, GOP).optional().describe('Default 2'),
    preset: z
      .enum(presets, `give one of ${presets.join(', ')}`)
      .optional()
      .describe('Of x264 and x265. Default veryfast and ultrafast'),
    videoFilter: z.string(FILTER).min(1, FILTER).optional().describe('Before the encoder'),
    loop: z.boolean(LOOP).optional().describe('Start again at the end of a file. Default true'),
    stallSeconds: z
      .number(STALL)
      .min(0.1, STALL)
      .max(3600, STALL)
      .optional()
      .describe('FFmpeg that makes no progress for this long is started anew. Default 15'),
  })
  .refine(({ video, videoFilter }) => videoFilter === undefined || (video !== 'copy' && video !== 'none'), {
    error: 'needs an encoder: leave out video, or name a codec',
    path: ['videoFilter'],
  })
  .refine(({ video, preset }) => preset === undefined || !['vp8', 'vp9', 'av1'].includes(video ?? ''), {
    error: 'is of H264 and H265 alone: leave it out',
    path: ['preset'],
  })
  .refine(({ video, audio }) => video !== 'none' || audio !== 'none', {
    error: 'leaves nothing to send: take "none" from video or from audio',
  });

export type FfmpegSpec = z.output<typeof ffmpegSchema>;

import * as z from 'zod';
import type { Codec, VideoCodec } from '../../engine/codecs.ts';
import { Failure } from '../../errors.ts';
import { inputArguments, isUrl } from './command.ts';
import type { SentAudio } from './encoders.ts';
import { GuardedProcess } from './guard.ts';
import { maskFor } from './mask.ts';
import type { FfmpegSpec } from './spec.ts';

/** What ffprobe says of an input: its first video, its first audio. */
export interface InputFacts {
  video?: LegFacts<VideoCodec>;
  audio?: LegFacts<SentAudio>;
  /** The input knows how long it is. */
  finite: boolean;
}

export interface LegFacts<Name extends Codec> {
  /** As FFmpeg names it. */
  codec: string;
  /** What it is when it is copied; absent where that cannot be sent. */
  sent?: Name;
  /** Browsers that have the codec play it as it is. */
  playable: boolean;
  /** Each picture is two fields, taken one after the other. */
  interlaced?: boolean;
}

/** By FFmpeg's names. */
const VIDEO: ReadonlyMap<string, VideoCodec> = new Map([
  ['h264', 'h264'],
  ['hevc', 'h265'],
  ['vp8', 'vp8'],
  ['vp9', 'vp9'],
  ['av1', 'av1'],
]);
/** With the rate that RTP carries (RFC 3551 §4.5), in Hz, and the most channels; Opus has one rate (RFC 7587 §4.1). */
const AUDIO: ReadonlyMap<string, { sent: SentAudio; rate: number; channels: number }> = new Map([
  ['opus', { sent: 'opus', rate: 48_000, channels: 2 }],
  ['pcm_mulaw', { sent: 'pcmu', rate: 8000, channels: 1 }],
  ['pcm_alaw', { sent: 'pcma', rate: 8000, channels: 1 }],
  ['adpcm_g722', { sent: 'g722', rate: 16_000, channels: 1 }],
]);
/** Formats without time stamps: bare streams. */
const BARE = ['h264', 'hevc', 'obu'];

/** An input that answers at all does so within this time; a file does, even when many are read at once. Milliseconds. */
const patience = { url: 10_000, file: 30_000 };
/** Bytes; a report has some hundred. */
const maxReport = 1 << 20;

const stream = z.object({
  codec_type: z.string().optional(),
  codec_name: z.string().default('unknown'),
  has_b_frames: z.number().default(0),
  pix_fmt: z.string().optional(),
  channels: z.number().default(2),
  sample_rate: z.coerce.number().optional(),
  field_order: z.string().optional(),
  side_data_list: z.array(z.object({ rotation: z.number().optional() })).default([]),
  disposition: z.object({ attached_pic: z.number() }).optional(),
});
const report = z.object({
  streams: z.array(stream).default([]),
  format: z.object({ duration: z.string().optional(), format_name: z.string().optional() }).default({}),
});

const entries = [
  'stream=codec_type,codec_name,has_b_frames,pix_fmt,channels,sample_rate,field_order',
  'stream_side_data=rotation',
  'stream_disposition=attached_pic',
  'format=duration,format_name',
].join(':');

/**
 * What ffprobe finds in the input. Rejects with `ffmpeg-missing`, or with `invalid-options` and ffprobe's own words when
 * there is nothing to play.
 */
export async function probe(spec: FfmpegSpec, signal?: AbortSignal): Promise<InputFacts> {
  const args = ['-v', 'error', '-show_entries', entries, '-of', 'json', ...inputArguments(spec)];
  const text = await ffprobe(spec, args, signal);
  const { streams, format } = parse(spec, text);
  const video = streams.find((each) => each.codec_type === 'video' && !each.disposition?.attached_pic);
  const audio = streams.find((each) => each.codec_type === 'audio');
  if (!video && !audio) throw unreadable(spec, 'it has neither video nor audio');
  return {
    ...(video && { video: videoFacts(video, !BARE.includes(format.format_name ?? '')) }),
    ...(audio && { audio: audioFacts(audio) }),
    finite: format.duration !== undefined,
  };
}

export function ffmpegMissing(): Failure {
  const cure = 'FFmpeg is missing: install it with ffprobe (Debian: apt-get install ffmpeg), or use an rtp source';
  return new Failure('ffmpeg-missing', cure);
}

function videoFacts(video: z.output<typeof stream>, timed: boolean): LegFacts<VideoCodec> {
  const sent = VIDEO.get(video.codec_name);
  return {
    codec: video.codec_name,
    ...(sent && { sent }),
    playable: sent !== undefined && timed && showable(video, sent),
    ...(interlaced(video) && { interlaced: true }),
  };
}

function audioFacts({ codec_name, channels, sample_rate }: z.output<typeof stream>): LegFacts<SentAudio> {
  const known = AUDIO.get(codec_name);
  if (known === undefined) return { codec: codec_name, playable: false };
  const { sent, rate } = known;
  return { codec: codec_name, sent, playable: channels <= known.channels && (sample_rate ?? rate) === rate };
}

/** WebRTC has no reordering; browsers decode 8 bits of 4:2:0, and see neither fields nor a rotation beside the pictures. */
function showable(video: z.output<typeof stream>, codec: VideoCodec): boolean {
  const { has_b_frames, pix_fmt, side_data_list } = video;
  const upright = side_data_list.every(({ rotation = 0 }) => rotation % 360 === 0);
  // The others hide theirs within a picture.
  const inOrder = has_b_frames === 0 || !['h264', 'h265'].includes(codec);
  return inOrder && (pix_fmt === 'yuv420p' || pix_fmt === 'yuvj420p') && upright && !interlaced(video);
}

/** Top or bottom field first, as coded and as shown. */
function interlaced({ field_order }: z.output<typeof stream>): boolean {
  return ['tt', 'bb', 'tb', 'bt'].includes(field_order ?? '');
}

function parse(spec: FfmpegSpec, text: string): z.output<typeof report> {
  try {
    return report.parse(JSON.parse(text));
  } catch (cause) {
    throw unreadable(spec, 'ffprobe gave no report of it', cause);
  }
}

async function ffprobe(spec: FfmpegSpec, args: string[], signal?: AbortSignal): Promise<string> {
  const limit = isUrl(spec.input) ? patience.url : patience.file;
  let text = '';
  let late = false;
  const child = new GuardedProcess('ffprobe', args, (more) => {
    if (text.length < maxReport) text += more;
  });
  const end = () => child.end();
  const timer = setTimeout(() => {
    late = true;
    end();
  }, limit).unref();
  signal?.addEventListener('abort', end);
  if (signal?.aborted) end();
  const { code } = await child.ended.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  });
  if (code === 0) return text;
  if (code === 127) throw ffmpegMissing();
  throw unreadable(spec, late ? `no answer within ${limit / 1000} s` : (child.lastWords.at(-1) ?? 'no reason given'));
}

function unreadable({ input, args = [] }: FfmpegSpec, why: string, cause?: unknown): Failure {
  const mask = maskFor(args, input);
  return new Failure('invalid-options', `FFmpeg cannot read ${mask(input)}: ${mask(why)}`, { cause });
}

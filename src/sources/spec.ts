import { isIP } from 'node:net';
import * as z from 'zod';
import { ffmpegSchema } from './ffmpeg/spec.ts';
import { whepSchema } from './whep/spec.ts';

/**
 * The two ways to write a source: the short string of the command line and the object of a config file.
 *
 * | string | object |
 * | --- | --- |
 * | `rtp:5004,5006` (0 = choose; `rtp:,5006` = audio alone) | `{ "rtp": { "video": 5004, "audio": 5006, "host": "127.0.0.1" } }` |
 * | `ffmpeg:INPUT` | `{ "ffmpeg": { "input": "INPUT", "video": "copy" } }`, and more (`ffmpeg/spec.ts`) |
 * | `whep:URL` | `{ "whep": { "url": "URL", "token": "SECRET" } }`, and more (`whep/spec.ts`) |
 * | `whip` | `{ "whip": { "legs": ["video", "audio"], "takeover": false } }` |
 * | `push` | `{ "push": { "legs": ["video", "audio"] } }` |
 * | `clip` | `{ "clip": {} }` |
 */
export const SOURCE_GRAMMAR =
  'write rtp:VIDEOPORT[,AUDIOPORT], ffmpeg:INPUT, whep:URL, whip, clip or push, or an object such as { "rtp": { "video": 5004 } }';

const PORT = 'give a UDP port from 0 to 65535 (0 lets the system choose)';
const HOST = 'give an IP address of this machine to bind';
const port = z.int(PORT).min(0, PORT).max(65535, PORT).optional();

const rtp = z
  .strictObject({
    video: port,
    audio: port,
    /** Loopback unless told otherwise: RTP has no authentication. */
    host: z
      .string(HOST)
      .refine((text) => isIP(text) !== 0, HOST)
      .default('127.0.0.1'),
  })
  .refine((legs) => legs.video !== undefined || legs.audio !== undefined, {
    error: 'needs a video port, an audio port or both',
  })
  .refine((legs) => !legs.video || !legs.audio || Math.abs(legs.video - legs.audio) > 1, {
    // RFC 3550 §11: the port after an RTP port is its RTCP port.
    error: 'keep the ports of video and audio at least 2 apart: the one after each is for its RTCP',
  });

const legs = z.strictObject({
  legs: z
    .array(z.enum(['video', 'audio'], 'a leg is "video" or "audio"'))
    .min(1, 'name at least one leg')
    .readonly()
    .default(['video', 'audio']),
});

const whip = legs.extend({
  takeover: z.boolean('give true or false').default(false).describe('A second publisher replaces the first'),
});

export const sourceObject = z
  .strictObject({
    rtp: rtp.optional(),
    ffmpeg: ffmpegSchema.optional(),
    whep: whepSchema.optional(),
    whip: whip.optional(),
    push: legs.optional(),
    clip: z.strictObject({}).optional(),
  })
  .refine((source) => Object.keys(source).length === 1, {
    error: 'a source has exactly one of the keys rtp, ffmpeg, whep, whip, push and clip',
  });

export type SourceSpec = z.output<typeof sourceObject>;

/** A source as a string or as an object; the result is always the object. */
export const sourceSchema = z
  .union([z.string(), sourceObject], SOURCE_GRAMMAR)
  .transform((input, context): SourceSpec => {
    if (typeof input !== 'string') return input;
    const parsed = sourceObject.safeParse(readSource(input));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    // A string that is no source at all stops at the root: there the grammar says more than the schema.
    const message = issue === undefined || issue.path.length === 0 ? SOURCE_GRAMMAR : issue.message;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

export type SourceInput = z.input<typeof sourceSchema>;

function readSource(text: string): unknown {
  const colon = text.indexOf(':');
  const kind = colon < 0 ? text : text.slice(0, colon);
  const rest = colon < 0 ? undefined : text.slice(colon + 1);
  if (kind === 'ffmpeg' && rest) return { ffmpeg: { input: rest } };
  if (kind === 'whep' && rest) return { whep: { url: rest } };
  if (kind === 'rtp' && rest !== undefined) return { rtp: readPorts(rest) };
  if (rest === undefined && (kind === 'whip' || kind === 'push' || kind === 'clip')) return { [kind]: {} };
  return undefined;
}

function readPorts(text: string): { video?: number; audio?: number } {
  const ports: { video?: number; audio?: number } = {};
  const [video, audio, ...more] = text.split(',');
  if (video) ports.video = /^\d+$/.test(video) ? Number(video) : Number.NaN;
  if (audio !== undefined) ports.audio = /^\d+$/.test(audio) && more.length === 0 ? Number(audio) : Number.NaN;
  return ports;
}

/**
 * What may come over HTTP: kinds of sources, of which `ffmpeg` reads streams of the network alone; `ffmpeg-unsafe`:
 * whatever FFmpeg can do; `private`: from this machine and private networks too.
 */
export const ADMIN_SOURCES = ['rtp', 'whip', 'whep', 'push', 'clip', 'ffmpeg', 'ffmpeg-unsafe', 'private'] as const;
export type AdminSource = (typeof ADMIN_SOURCES)[number];

export const DEFAULT_ADMIN_SOURCES: readonly AdminSource[] = ['rtp', 'whip', 'whep', 'push', 'clip'];

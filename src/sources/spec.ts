import * as z from 'zod';
import type { LegKind } from '../engine/port.ts';
import { faults } from '../validate.ts';
import { publishedCodecs } from './codecs.ts';
import { ffmpegSchema } from './ffmpeg/spec.ts';
import { legList } from './legs.ts';
import { pushSchema } from './push/spec.ts';
import { rtpSchema } from './rtp/spec.ts';
import { sdpSchema } from './sdp.ts';
import { whepSchema } from './whep/spec.ts';

/**
 * The two ways to write a source: the short string of the command line and the object of a config file.
 *
 * | string | object |
 * | --- | --- |
 * | `rtp:5004,5006` (0 = choose; `rtp:,5006` = audio alone) | `{ "rtp": { "video": 5004, "audio": 5006, "host": "127.0.0.1" } }` |
 * | `rtp:5004/vp9,5006/pcmu` | `{ "rtp": { "video": { "port": 5004, "codec": "vp9" } } }`, and more (`rtp/spec.ts`) |
 * | `sdp:FILE` | `{ "sdp": { "file": "FILE" } }`, `{ "sdp": { "text": "v=0...", "host": "127.0.0.1" } }`, `{ "sdp": "FILE" }` |
 * | `ffmpeg:INPUT` | `{ "ffmpeg": { "input": "INPUT", "video": "copy" } }`, and more (`ffmpeg/spec.ts`) |
 * | `whep:URL` | `{ "whep": { "url": "URL", "token": "SECRET" } }`, and more (`whep/spec.ts`) |
 * | `whip` | `{ "whip": { "legs": ["video", "audio"], "takeover": false, "codecs": ["h264", "vp8"] } }` |
 * | `push` | `{ "push": { "legs": ["video", "audio"] } }`, `{ "push": { "video": "av1", "audio": "opus" } }` |
 * | `clip` | `{ "clip": {} }` |
 */
export const SOURCE_GRAMMAR =
  'write rtp:VIDEOPORT[,AUDIOPORT], sdp:FILE, ffmpeg:INPUT, whep:URL, whip, clip or push, or an object such as { "rtp": { "video": 5004 } }';

const whip = z.strictObject({
  legs: legList.default(['video', 'audio']),
  takeover: z.boolean('give true or false').default(false).describe('A second publisher replaces the first'),
  codecs: publishedCodecs
    .optional()
    .describe('What may be published, in order of preference; default: all of the server'),
});

export const sourceObject = z
  .strictObject({
    rtp: rtpSchema.optional(),
    sdp: sdpSchema.optional(),
    ffmpeg: ffmpegSchema.optional(),
    whep: whepSchema.optional(),
    whip: whip.optional(),
    push: pushSchema.optional(),
    clip: z.strictObject({}).optional(),
  })
  .refine((source) => Object.keys(source).length === 1, {
    error: 'a source has exactly one of the keys rtp, sdp, ffmpeg, whep, whip, push and clip',
  });

export type SourceSpec = z.output<typeof sourceObject>;

/** A source as a string or as an object; the result is always the object. */
export const sourceSchema = z
  .union([z.string(), sourceObject], SOURCE_GRAMMAR)
  .transform((input, context): SourceSpec => {
    if (typeof input !== 'string') return input;
    const parsed = sourceObject.safeParse(readSource(input));
    if (parsed.success) return parsed.data;
    const [fault] = parsed.error.issues.flatMap(faults);
    // A string that is no source at all stops at the root: there the grammar says more than the schema.
    const message = fault === undefined || fault.path.length === 0 ? SOURCE_GRAMMAR : fault.message;
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
  if (kind === 'sdp' && rest) return { sdp: rest };
  if (kind === 'rtp' && rest !== undefined) return { rtp: readPorts(rest) };
  if (rest === undefined && (kind === 'whip' || kind === 'push' || kind === 'clip')) return { [kind]: {} };
  return undefined;
}

function readPorts(text: string): Partial<Record<LegKind, unknown>> {
  const [video, audio, ...more] = text.split(',');
  if (more.length > 0) return { video: Number.NaN };
  return { ...(video && { video: readLeg(video) }), ...(audio !== undefined && { audio: readLeg(audio) }) };
}

/** `5004` or `5004/vp9`; anything else is no port to the schema. */
function readLeg(text: string): number | { port: number; codec: string } {
  const [, port, codec] = /^(\d+)(?:\/(\w+))?$/.exec(text) ?? [];
  if (port === undefined) return Number.NaN;
  return codec === undefined ? Number(port) : { port: Number(port), codec };
}

/**
 * What may come over HTTP: kinds of sources, of which `sdp` is a text, and `ffmpeg` reads streams of the network alone; `ffmpeg-unsafe`:
 * whatever FFmpeg can do; `private`: from this machine and private networks too.
 */
export const ADMIN_SOURCES = [
  'rtp',
  'sdp',
  'whip',
  'whep',
  'push',
  'clip',
  'ffmpeg',
  'ffmpeg-unsafe',
  'private',
] as const;
export type AdminSource = (typeof ADMIN_SOURCES)[number];

export const DEFAULT_ADMIN_SOURCES: readonly AdminSource[] = ['rtp', 'sdp', 'whip', 'whep', 'push', 'clip'];

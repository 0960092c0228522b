import * as z from 'zod';
import { VIDEO_CODECS, type VideoCodec } from '../../engine/codecs.ts';
import { readArguments, UsageError } from '../arguments.ts';
import { columns } from '../flags.ts';
import type { LoadConfig } from './load.ts';

const COUNTS = 'give numbers of viewers such as 10,50,100';
const SECONDS = 'give a whole number of seconds from 1 to 86400';
const whole = (message: string, least: number, most: number) =>
  z.string().regex(/^\d+$/, message).transform(Number).pipe(z.int(message).min(least, message).max(most, message));

/** SRTP profiles as IANA registers them. */
const PROFILES: ReadonlyMap<string, string> = new Map([
  ['aead-aes-128-gcm', 'SRTP_AEAD_AES_128_GCM'],
  ['aead-aes-256-gcm', 'SRTP_AEAD_AES_256_GCM'],
  ['aes-cm-sha1', 'SRTP_AES128_CM_HMAC_SHA1_80'],
]);
const PROFILE = [...PROFILES.keys()].join(', ');

const schema = z.object({
  viewers: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(whole(COUNTS, 1, 10_000)).min(1))
    .optional(),
  secs: whole(SECONDS, 1, 86_400).optional(),
  fps: z
    .enum(['5', '10', '15', '25', '30', '50', '60'], 'give 5, 10, 15, 25, 30, 50 or 60')
    .transform(Number)
    .default(30),
  packets: whole('give a number of packets from 1 to 8', 1, 8).default(8),
  codec: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(VIDEO_CODECS, `give one or several of ${VIDEO_CODECS.join(', ')}`)))
    .default(['h264']),
  'video-only': z.boolean().default(false),
  'audio-only': z.boolean().default(false),
  'sender-only': z.boolean().default(false),
  rounds: whole('give a number of rounds from 1 to 99', 1, 99).default(1),
  rate: whole('give a number of joins a second from 1 to 1000', 1, 1000).optional(),
  playing: whole('give a number of viewers', 1, 10_000).default(50),
  url: z
    .string()
    .regex(/^http:\/\/[^/\s]+\/\S*$/, 'give the http:// URL of a WHEP endpoint')
    .optional(),
  pid: whole('give the id of the process that serves --url', 1, 2 ** 31).optional(),
  rtp: z
    .string()
    .regex(/^\d{1,5}(,\d{1,5})?$/, 'give the UDP ports that feed --url: VIDEO or VIDEO,AUDIO')
    .transform((text) => text.split(',').map(Number))
    .optional(),
  ingest: z.enum(['rtp', 'whip'], 'give rtp or whip').optional(),
  shards: whole('give a number of threads from 1 to 256', 1, 256).optional(),
  runtime: z.enum(['node', 'bun', 'deno'], 'give node, bun or deno').optional(),
  profile: z
    .string()
    .transform((name) => PROFILES.get(name))
    .pipe(z.string(`give one of ${PROFILE}`))
    .optional(),
  compare: z.literal('portable', 'give portable').optional(),
  json: z.boolean().default(false),
});

export type BenchOptions = Omit<z.output<typeof schema>, 'codec'> & {
  /** One measurement each. */
  codecs: readonly VideoCodec[];
  /** Of the pictures. */
  codec: VideoCodec;
  /** Of our own server. */
  engine: 'native' | 'portable';
};

interface Flag {
  name: keyof z.output<typeof schema>;
  /** Undefined: the flag has none. */
  value?: string;
  help: string;
}

const FLAGS: readonly Flag[] = [
  { name: 'viewers', value: 'N,N', help: 'viewers, one measurement each (fanout 10,50,100,200,300; join, churn 100)' },
  { name: 'secs', value: 'N', help: 'how long to measure (fanout 15, join 5, churn 60)' },
  { name: 'fps', value: 'N', help: 'pictures a second (default 30)' },
  { name: 'packets', value: 'N', help: 'packets of each picture, of about a kilobyte, up to 8 (default 8)' },
  {
    name: 'codec',
    value: 'NAME,NAME',
    help: `${VIDEO_CODECS.join(', ')}: of the pictures, one measurement each (default h264)`,
  },
  { name: 'video-only', help: 'pictures without sound, in the stream and in what viewers ask for' },
  { name: 'audio-only', help: 'sound without pictures' },
  { name: 'sender-only', help: 'fanout: the server alone, see below (Linux, as root)' },
  {
    name: 'rounds',
    value: 'N',
    help: 'fanout: measure all that often in turn, and show the median by CPU (default 1)',
  },
  { name: 'rate', value: 'N', help: 'join: how many join in a second (default: all of them)' },
  { name: 'playing', value: 'N', help: 'join: viewers that play before the others come (default 50)' },
  { name: 'url', value: 'URL', help: 'a WHEP endpoint to measure instead of a server of our own' },
  { name: 'pid', value: 'PID', help: 'the process behind --url, on this machine, for its CPU and memory' },
  { name: 'rtp', value: 'VIDEO,AUDIO', help: 'the UDP ports of this machine where --url takes its stream' },
  { name: 'ingest', value: 'rtp|whip', help: 'how our own server gets the stream (default rtp)' },
  { name: 'shards', value: 'N', help: 'sending threads of our own server (default: one per core)' },
  { name: 'runtime', value: 'NAME', help: 'node, bun or deno for our own server (default: this one)' },
  { name: 'profile', value: 'NAME', help: `the one SRTP profile that viewers offer: ${PROFILE}` },
  { name: 'compare', value: 'portable', help: 'measure our own server with the portable engine as well' },
  { name: 'json', help: 'a line of JSON for each measurement instead of the table' },
];

/** The options after the benchmark's name. Throws a `UsageError`. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const given = readArguments(
    args,
    FLAGS.map(({ name, value }) => ({ name, bare: value === undefined })),
    'bench',
  );
  const last = [...given].map(([name, values]) => [name, values.length === 0 ? true : values.at(-1)]);
  const parsed = schema.safeParse(Object.fromEntries(last));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UsageError(`--${String(issue?.path[0])}: ${issue?.message}`);
  }
  const { url, pid, rtp, ingest, shards, runtime, compare } = parsed.data;
  if (url === undefined && (pid !== undefined || rtp !== undefined)) {
    throw new UsageError('--pid and --rtp belong to --url: give that, or leave them out');
  }
  if (url !== undefined && (ingest ?? shards ?? runtime ?? compare) !== undefined) {
    throw new UsageError(
      '--ingest, --shards, --runtime and --compare are for a server of our own: leave them out with --url',
    );
  }
  if (url !== undefined && parsed.data['sender-only']) {
    throw new UsageError('--sender-only is for a server of our own: leave it out with --url');
  }
  if (compare !== undefined && parsed.data['sender-only']) {
    throw new UsageError('--compare is not for --sender-only: the portable engine does not count what it sends');
  }
  if (parsed.data['audio-only'] && given.has('codec')) {
    throw new UsageError('--codec is for pictures: leave it or --audio-only out');
  }
  if (parsed.data['video-only'] && parsed.data['audio-only']) {
    throw new UsageError('--video-only and --audio-only leave nothing: leave one of them out');
  }
  const { codec: codecs, ...rest } = parsed.data;
  const [codec = 'h264'] = codecs;
  if (compare !== undefined && codecs.some((each) => each !== 'h264')) {
    throw new UsageError('--compare is for h264 alone, which is all that the portable engine has: leave --codec out');
  }
  return { ...rest, codecs, codec, engine: 'native' };
}

export function loadConfig(options: BenchOptions): LoadConfig {
  const { fps, packets, codec, profile, 'video-only': videoOnly, 'audio-only': audioOnly } = options;
  const video = audioOnly ? undefined : codec;
  const programme = { framesPerSecond: fps, packetsPerFrame: packets, video, audio: !videoOnly };
  return { programme, ...(profile !== undefined && { profile }) };
}

export function help(): string {
  return columns(FLAGS.map(({ name, value, help }) => [`--${name}${value ? ` ${value}` : ''}`, help] as const));
}

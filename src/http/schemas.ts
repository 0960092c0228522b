import * as z from 'zod';
import { AUDIO_CODECS, VIDEO_CODECS } from '../engine/codecs.ts';

/** What the JSON routes answer: the handlers are typed by these, and the OpenAPI document is made from them. */

const count = z.int().min(0);
const state = z.enum(['starting', 'live', 'stalled', 'ended']);
const sourceKind = z.enum(['rtp', 'ffmpeg', 'whip', 'whep', 'clip', 'push']);
const lost = count.optional().describe('Packets that got lost between encoder and server');
const byReason = z.record(z.string(), count).describe('Packets by reason');

const video = z.object({
  active: z.boolean().describe('Packets arrive'),
  codec: z.enum(VIDEO_CODECS).optional().describe('Absent while nobody has published yet'),
  profile_level_id: z.string().optional().describe('Of H264: RFC 6184 §8.1, from the SPS in force'),
  profile: z.string().optional().describe('Its name'),
  level: z.string().optional().describe('4.1, for example'),
  tier: z.string().optional().describe('Of AV1 and H265: Main or High'),
  width: count.optional(),
  height: count.optional(),
  bit_depth: count.optional().describe('Bits of a sample'),
  frames_per_second: z.number().optional().describe('Measured'),
  nominal_frames_per_second: z.number().optional().describe('As the SPS says'),
  reorder_frames: count.optional().describe('Pictures that may be shown later than decoded, as the SPS says'),
  interlaced: z.boolean().optional().describe('Pictures may be fields, as the SPS says'),
  parameter_changes: count.optional().describe('Times that the SPS changed while the stream went on'),
  gop_frames: count.optional(),
  gop_seconds: z.number().optional(),
  b_frames: z.boolean().describe('B-frames were seen: WebRTC cannot reorder them'),
  keyframe_age_seconds: z.number().optional(),
  lost,
});

const audio = z.object({
  active: z.boolean(),
  codec: z.enum(AUDIO_CODECS).optional().describe('Absent while nobody has published yet'),
  channels: z.int().min(1).max(8).optional(),
  wrong_codec: z.boolean().optional().describe('It is something else, and dropped'),
  timestamp_breaks: count.optional().describe('Packets that did not begin where the one before ended'),
  lost,
});
const directions = z.object({ in: count, out: count });

const ffmpeg = z.object({
  state: z.enum(['probing', 'running', 'waiting', 'stopped']).describe('waiting: for its next start'),
  restarts: count,
  last_error: z.string().optional().describe('How the last FFmpeg ended'),
  video: z
    .enum(['copy', ...VIDEO_CODECS])
    .optional()
    .describe('What FFmpeg does to the video of the input'),
  audio: z.enum(['copy', 'opus', 'g722', 'pcmu', 'pcma']).optional(),
  frames_per_second: z.number().optional(),
  speed: z.number().optional().describe('Media time over real time; below 1, FFmpeg is too slow'),
  duplicated_frames: count.optional(),
  dropped_frames: count.optional(),
});

const pull = z.object({
  state: z.enum(['connecting', 'playing', 'waiting', 'stopped']).describe('waiting: for its next attempt'),
  restarts: count,
  last_error: z.string().optional().describe('Why the last session ended, or did not begin'),
  hops: count.describe('Servers of this kind that what plays has come through'),
});

export const streamStats = z.object({
  state,
  source: sourceKind,
  ffmpeg: ffmpeg.optional().describe('Present when the server runs an FFmpeg for the stream'),
  pull: pull.optional().describe('Present when the stream comes from another server'),
  viewers: count,
  publishers: count,
  video: video.optional().describe('Absent: the stream has no video leg'),
  audio: audio.optional(),
  bits_per_second: directions,
  packets: directions,
  dropped: byReason,
  nacks: count,
  retransmissions: count,
  keyframe_requests: count.describe('PLI and FIR from viewers'),
  warnings: z.array(z.string()).describe('What hurts viewers, each with its cure'),
});

export const stats = z.object({
  active_streams: count.describe('Streams that are live'),
  active_peers: count.describe('Viewers'),
  active_publishers: count.describe('WHIP sessions'),
  udp_ports_in_use: count.describe('UDP sockets open for media, legs included'),
  engine: z.enum(['native', 'portable', 'fake']),
  limits: z.array(z.string()).describe('What this engine does not do, in words; empty for the native one'),
  refused: byReason.describe('Packets that were dropped on arrival, whoever sent them'),
  runtime: z.enum(['node', 'bun', 'deno']),
  uptime_seconds: z.number(),
  streams: z.record(z.string(), streamStats),
});

export const streamEntry = z.object({
  id: z.string(),
  state,
  source: sourceKind,
  description: z.string().describe('The source in words, secrets masked'),
  ports: z.object({ video: count.optional(), audio: count.optional() }).describe('UDP ports of its legs'),
  viewers: count,
});
export const streamList = z.object({ streams: z.array(streamEntry) });

export const sessionEntry = z.object({
  id: z.string(),
  kind: z.enum(['viewer', 'publisher']),
  stream: z.string(),
  age_seconds: z.number(),
  state: z.enum(['setup', 'connected', 'connecting', 'waiting-for-keyframe', 'playing']),
  packets_out: count.optional(),
  bytes_out: count.optional(),
  bits_per_second: count.optional().describe('Mean since the session began'),
  retransmissions: count.optional(),
  rtt_seconds: z.number().optional(),
  loss_ratio: z.number().optional(),
  jitter_seconds: z.number().optional(),
  candidate_pair: z.string().optional(),
  srtp_profile: z
    .string()
    .optional()
    .describe('As IANA registers it; absent until connected, and where it is not known'),
  dtls_version: z.string().optional().describe('1.2, for example; likewise'),
});
export const sessionList = z.object({ sessions: z.array(sessionEntry) });

export const problemDetails = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string().describe('The cause, in a word that does not change'),
});

export type Stats = z.output<typeof stats>;
export type StreamStats = z.output<typeof streamStats>;
export type StreamEntry = z.output<typeof streamEntry>;
export type SessionEntry = z.output<typeof sessionEntry>;

import { Buffer } from 'node:buffer';
import { resolve } from 'node:path';
import type { VideoCodec } from '../../engine/codecs.ts';
import { audioEncoder, consent, type SentAudio, videoEncoder } from './encoders.ts';
import type { Plan } from './plan.ts';
import type { InputFacts } from './probe.ts';
import type { FfmpegSpec } from './spec.ts';

type Facts = Pick<InputFacts, 'finite' | 'video'>;

/** How often a file is played by one FFmpeg that could not loop it; and bytes of such a list, which is one argument. */
const ROUNDS = 1000;
const LIST = 64 * 1024;

/** Where a leg is sent to, and under which name (RFC 3550 §8). */
export interface Output {
  port: number;
  ssrc: number;
}

/** The options that name the input, for ffmpeg and ffprobe alike. `-i` takes its value as it is, even with a dash. */
export function inputArguments({ input, args = [] }: Pick<FfmpegSpec, 'input' | 'args'>): string[] {
  if (input.startsWith('lavfi:')) return [...args, '-f', 'lavfi', '-i', input.slice('lavfi:'.length)];
  return [...args, '-i', input];
}

export function isUrl(input: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(input) && !/^file:/i.test(input);
}

/** One low-latency RTP output for each leg of the plan. */
export function ffmpegArguments(
  spec: FfmpegSpec,
  plan: Plan,
  facts: Facts,
  { video, audio }: { video?: Output; audio?: Output },
): string[] {
  return [
    ...['-hide_banner', '-nostdin', '-nostats', '-loglevel', 'warning', '-progress', 'pipe:1'],
    ...paced(spec, plan, facts),
    ...(plan.video && video ? [...videoArguments(spec, plan, facts), ...rtpOutput(video)] : []),
    ...(plan.audio && audio ? [...audioArguments(spec, plan.audio), ...rtpOutput(audio)] : []),
  ];
}

/** What the video is of that is sent. */
function videoOf({ video }: Plan, facts: Facts): VideoCodec {
  return (video === 'copy' ? facts.video?.sent : video) ?? 'h264';
}

/** The input is a file that is played over and over. */
export function loops({ input, loop = true }: FfmpegSpec): boolean {
  return loop && !isUrl(input) && !input.startsWith('lavfi:');
}

/** FFmpeg can play the file over and over and copy it all the same. */
export function canLoopCopy(spec: FfmpegSpec): boolean {
  return loops(spec) && !spec.args?.length && !/^(?!file:)[a-z][a-z0-9+.-]*:|[\r\n]/i.test(spec.input);
}

/** What has an end or no clock of its own is read in real time, files over and over; what is live, as it comes. */
function paced(spec: FfmpegSpec, plan: Plan, facts: Facts): string[] {
  const { input } = spec;
  const realTime = ['-re', ...inputArguments(spec)];
  if (input.startsWith('lavfi:')) return realTime;
  if (isUrl(input)) return facts.finite ? realTime : ['-fflags', 'nobuffer', ...inputArguments(spec)];
  const codec = videoOf(plan, facts);
  const filtered = plan.video === 'copy' && (codec === 'h264' || codec === 'h265');
  if (loops(spec) && !filtered) return ['-stream_loop', '-1', ...realTime];
  if (!canLoopCopy(spec)) return realTime;
  const list = ['-f', 'concat', '-safe', '0', '-i'];
  if (codec === 'h264') return ['-stream_loop', '-1', '-re', ...list, playlist(input, 1)];
  return ['-re', ...list, playlist(input, ROUNDS)];
}

/**
 * A list of one file for the concat demuxer, which unpacks H264 by itself. A bitstream filter of the output, as H265 needs
 * it, has come to its end where a loop begins anew, but not from one file of the list to the next.
 */
function playlist(input: string, rounds: number): string {
  const path = `file:${resolve(input.replace(/^file:/i, ''))}`.replaceAll("'", String.raw`'\''`);
  const line = `file '${path}'\n`;
  const text = `ffconcat version 1.0\n${line.repeat(Math.min(rounds, Math.ceil(LIST / line.length)))}`;
  return `data:text/plain;base64,${Buffer.from(text).toString('base64')}`;
}

function videoArguments(spec: FfmpegSpec, plan: Plan, facts: Facts): string[] {
  const map = ['-map', '0:V:0'];
  const codec = videoOf(plan, facts);
  if (plan.video === 'copy') return [...map, '-c:v', 'copy', ...unpacked(spec, codec), ...consent(codec)];
  const { videoFilter } = spec;
  const filters = [
    // Unless the chain does it by a filter of its own.
    ...(facts.video?.interlaced && !/dif|deint/.test(videoFilter ?? '') ? ['yadif=deint=interlaced'] : []),
    ...(videoFilter === undefined ? [] : [videoFilter]),
    // 4:2:0 needs even sides.
    'scale=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p',
  ];
  return [...map, '-vf', filters.join(','), ...videoEncoder(codec, spec)];
}

/** Parameter sets before each keyframe. dump_extra takes them as they are: MP4 and its kin have to be unpacked first. */
function unpacked(spec: FfmpegSpec, codec: VideoCodec): string[] {
  if (codec === 'h265') return ['-bsf:v', 'hevc_mp4toannexb,dump_extra=freq=keyframe'];
  // Of a looped file the concat demuxer does it.
  if (codec !== 'h264' || canLoopCopy(spec)) return [];
  return ['-bsf:v', 'h264_mp4toannexb,dump_extra=freq=keyframe'];
}

function audioArguments(spec: FfmpegSpec, codec: 'copy' | SentAudio): string[] {
  return ['-map', '0:a:0', ...(codec === 'copy' ? ['-c:a', 'copy'] : audioEncoder(codec, spec))];
}

/** Datagrams that fit a WebRTC path as they are; RTCP goes to the port after. */
function rtpOutput({ port, ssrc }: Output): string[] {
  return ['-ssrc', `${ssrc}`, '-f', 'rtp', `rtp://127.0.0.1:${port}?pkt_size=1200&localaddr=127.0.0.1`];
}

import { Buffer } from 'node:buffer';
import { resolve } from 'node:path';
import type { Plan } from './plan.ts';
import type { InputFacts } from './probe.ts';
import type { FfmpegSpec } from './spec.ts';

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
  facts: Pick<InputFacts, 'finite' | 'video'>,
  { video, audio }: { video?: Output; audio?: Output },
): string[] {
  return [
    ...['-hide_banner', '-nostdin', '-nostats', '-loglevel', 'warning', '-progress', 'pipe:1'],
    ...paced(spec, plan, facts.finite),
    ...(plan.video && video ? [...videoArguments(spec, plan.video, facts), ...rtpOutput(video)] : []),
    ...(plan.audio && audio ? [...audioArguments(spec, plan.audio), ...rtpOutput(audio)] : []),
  ];
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
function paced(spec: FfmpegSpec, plan: Plan, finite: boolean): string[] {
  const { input } = spec;
  const realTime = ['-re', ...inputArguments(spec)];
  if (input.startsWith('lavfi:')) return realTime;
  if (isUrl(input)) return finite ? realTime : ['-fflags', 'nobuffer', ...inputArguments(spec)];
  if (loops(spec) && plan.video !== 'copy') return ['-stream_loop', '-1', ...realTime];
  if (!canLoopCopy(spec)) return realTime;
  return ['-stream_loop', '-1', '-re', '-f', 'concat', '-safe', '0', '-i', playlist(input)];
}

/**
 * A list of one file for the concat demuxer, which unpacks H264 by itself: a bitstream filter of the output has come to
 * its end after the first round.
 */
function playlist(input: string): string {
  const path = `file:${resolve(input.replace(/^file:/i, ''))}`.replaceAll("'", String.raw`'\''`);
  return `data:text/plain;base64,${Buffer.from(`ffconcat version 1.0\nfile '${path}'\n`).toString('base64')}`;
}

function videoArguments(spec: FfmpegSpec, codec: 'copy' | 'h264', { video }: Pick<InputFacts, 'video'>): string[] {
  const map = ['-map', '0:V:0'];
  if (codec === 'copy') {
    // Parameter sets before each keyframe. dump_extra takes them as they are: MP4 and its kin have to be unpacked first.
    const filter = ['-bsf:v', 'h264_mp4toannexb,dump_extra=freq=keyframe'];
    return [...map, '-c:v', 'copy', ...(canLoopCopy(spec) ? [] : filter)];
  }
  const { preset = 'veryfast', gopSeconds = 2, videoBitrate = 4_000_000, videoFilter } = spec;
  const filters = [
    // Unless the chain does it by a filter of its own.
    ...(video?.interlaced && !/dif|deint/.test(videoFilter ?? '') ? ['yadif=deint=interlaced'] : []),
    ...(videoFilter === undefined ? [] : [videoFilter]),
    // 4:2:0 needs even sides.
    'scale=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p',
  ];
  return [
    ...map,
    ...['-c:v', 'libx264', '-preset', preset, '-tune', 'zerolatency', '-profile:v', 'baseline'],
    ...['-vf', filters.join(',')],
    // WebRTC has no reordering, so no B-frames; keyframes by time, whatever the frame rate.
    ...['-bf', '0', '-sc_threshold', '0', '-g', '600', '-force_key_frames', `expr:gte(t,n_forced*${gopSeconds})`],
    ...['-crf', '23', '-maxrate', `${videoBitrate}`, '-bufsize', `${Math.round(videoBitrate / 2)}`],
    ...['-bsf:v', 'dump_extra=freq=keyframe'],
  ];
}

function audioArguments({ audioBitrate = 96_000 }: FfmpegSpec, codec: 'copy' | 'opus'): string[] {
  const map = ['-map', '0:a:0'];
  if (codec === 'copy') return [...map, '-c:a', 'copy'];
  return [...map, '-c:a', 'libopus', '-ar', '48000', '-ac', '2', '-b:a', `${audioBitrate}`];
}

/** Datagrams that fit a WebRTC path as they are; RTCP goes to the port after. */
function rtpOutput({ port, ssrc }: Output): string[] {
  return ['-ssrc', `${ssrc}`, '-f', 'rtp', `rtp://127.0.0.1:${port}?pkt_size=1200&localaddr=127.0.0.1`];
}

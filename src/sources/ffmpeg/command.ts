import type { StreamPorts } from '../../engine/port.ts';
import type { InputFacts } from './probe.ts';

/** The options that name the input, for ffmpeg and ffprobe alike. `-i` takes its value as it is, even with a dash. */
export function inputArguments(input: string): string[] {
  return input.startsWith('lavfi:') ? ['-f', 'lavfi', '-i', input.slice('lavfi:'.length)] : ['-i', input];
}

export function isUrl(input: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(input) && !/^file:/i.test(input);
}

/** One low-latency RTP output for each leg that the input has and the engine opened. */
export function ffmpegArguments(input: string, facts: InputFacts, ports: StreamPorts): string[] {
  return [
    ...['-hide_banner', '-nostdin', '-nostats', '-loglevel', 'warning'],
    ...pace(input, facts),
    ...inputArguments(input),
    ...(facts.video && ports.video !== undefined ? [...videoArguments, ...rtpOutput(ports.video)] : []),
    ...(facts.audio && ports.audio !== undefined ? [...audioArguments, ...rtpOutput(ports.audio)] : []),
  ];
}

/** What has an end or no clock of its own is read in real time, files over and over; what is live, as it comes. */
function pace(input: string, facts: InputFacts): string[] {
  if (input.startsWith('lavfi:')) return ['-re'];
  if (!isUrl(input)) return ['-re', '-stream_loop', '-1'];
  return facts.finite ? ['-re'] : ['-fflags', 'nobuffer'];
}

const videoArguments = [
  ...['-map', '0:V:0', '-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-profile:v', 'baseline'],
  // 4:2:0 needs even sides.
  ...['-vf', 'scale=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p'],
  // WebRTC has no reordering, so no B-frames; an IDR every 2 s whatever the frame rate, each with its parameter sets.
  ...['-bf', '0', '-sc_threshold', '0', '-g', '600', '-force_key_frames', 'expr:gte(t,n_forced*2)'],
  ...['-crf', '23', '-maxrate', '4M', '-bufsize', '2M', '-bsf:v', 'dump_extra=freq=keyframe'],
];

const audioArguments = ['-map', '0:a:0', '-c:a', 'libopus', '-ar', '48000', '-ac', '2', '-b:a', '96k'];

/** Datagrams that fit a WebRTC path as they are; RTCP goes to the port after. */
function rtpOutput(port: number): string[] {
  return ['-f', 'rtp', `rtp://127.0.0.1:${port}?pkt_size=1200&localaddr=127.0.0.1`];
}

/** `text` without the user names, passwords and query strings of URLs. */
export function masked(text: string): string {
  return text.replace(
    /([a-z][a-z0-9+.-]+:\/\/)([^\s/?#@]*@)?([^\s?#'"]*)(\?[^\s#'"]*)?/gi,
    (_, scheme, user, rest, query) => {
      return `${scheme}${user ? '***@' : ''}${rest}${query ? '?***' : ''}`;
    },
  );
}

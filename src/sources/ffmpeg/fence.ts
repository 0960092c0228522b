import { Failure } from '../../errors.ts';
import { masked } from './mask.ts';
import type { FfmpegSpec } from './spec.ts';

/** What FFmpeg may open for an input of a scheme, and for whatever that leads to. */
const PROTOCOLS: ReadonlyMap<string, string> = new Map([
  ['http', 'http,https,httpproxy,tcp,tls,crypto'],
  ['https', 'http,https,httpproxy,tcp,tls,crypto'],
  ['rtsp', 'tcp'],
  ['rtsps', 'tls,tcp'],
  ['rtmp', 'rtmp,tcp'],
  ['rtmps', 'rtmps,tls,tcp'],
  ['srt', 'srt'],
]);
/** The same for inputs in a private network. Those of UDP bind a port of this machine and take what arrives there. */
const PRIVATE_PROTOCOLS: ReadonlyMap<string, string> = new Map([
  ...PROTOCOLS,
  ['rtsp', 'tcp,rtp,udp'],
  ['rtsps', 'tls,tcp,rtp,srtp,udp'],
  ['udp', 'udp'],
  ['rtp', 'rtp,udp'],
]);

/** What is one stream and leads to no other: a playlist could name `httpproxy:` URLs, which FFmpeg opens past any proxy. */
const FORMATS = 'aac,ac3,avi,flac,flv,h264,hevc,matroska,mov,mp3,mpegts,ogg,wav,webm';

/** As strict as can be: what our URL and FFmpeg's parser would read differently must not get through. */
const FORM =
  /^([a-z]+):\/\/(?:[^\s/?#\\]*@)?((?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?)(?:[/?][\x21\x22\x24-\x5b\x5d-\x7e]*)?$/i;

/** Options that neither read nor write files nor make FFmpeg listen (`-timeout` does, with RTMP), with their values. */
const ARGS: ReadonlyMap<string, RegExp> = new Map([
  ['-rtsp_transport', /^(tcp|udp)$/],
  ['-rw_timeout', /^\d{1,9}$/], // microseconds
  ['-analyzeduration', /^\d{1,8}$/], // microseconds
  ['-probesize', /^\d{1,8}$/], // bytes
  ['-user_agent', /^[\x20-\x7e]{1,200}$/],
]);

const NOT_ALLOWED = `not one of ${[...ARGS.keys()].join(', ')} with a plain value`;
const CURE = 'add "ffmpeg-unsafe" to adminSources to allow whatever FFmpeg can do, files of this machine included';

/**
 * An FFmpeg source that reads a stream of the network and nothing else: no file, no graph, no filter. `anywhere`: private
 * networks and ports of this machine too. Throws `invalid-options`, with the input and the cure.
 */
export function fenced(spec: FfmpegSpec, anywhere: boolean): FfmpegSpec {
  const { input, args = [], videoFilter } = spec;
  const protocols = anywhere ? PRIVATE_PROTOCOLS : PROTOCOLS;
  const [, scheme = ''] = (URL.canParse(input) && FORM.exec(input)) || [];
  const whitelist = protocols.get(scheme.toLowerCase());
  if (whitelist === undefined) {
    if (PRIVATE_PROTOCOLS.has(scheme.toLowerCase())) throw listens(input);
    const known = [...protocols.keys()].map((each) => `${each}://`).join(', ');
    throw refused('input', `${shown(input)} is no plain URL that begins with one of ${known}: ${CURE}`);
  }
  if (!anywhere && !/^http/i.test(scheme) && asksToListen(input)) throw listens(input);
  if (videoFilter !== undefined) throw refused('videoFilter', `the filters of ${shown(input)} may use files: ${CURE}`);
  for (let index = 0; index < args.length; index += 2) {
    const [name = '', value = ''] = args.slice(index, index + 2);
    if (!ARGS.get(name)?.test(value)) throw refused('args', `${name} of ${shown(input)} is ${NOT_ALLOWED}: ${CURE}`);
    if (name === '-rtsp_transport' && value === 'udp' && !anywhere) throw listens(input);
  }
  // A camera names the ports to which UDP goes; over TCP there are none.
  const leftOpen = /^rtsp/i.test(scheme) && !anywhere && !args.includes('-rtsp_transport');
  const transport = leftOpen ? ['-rtsp_transport', 'tcp'] : [];
  const formats = /^http/i.test(scheme) && !anywhere ? ['-format_whitelist', FORMATS] : [];
  return { ...spec, args: ['-protocol_whitelist', whitelist, ...formats, ...transport, ...args] };
}

/** Host and port of an input that `fenced` let through. */
export function hostOf(input: string): string {
  return FORM.exec(input)?.[2] ?? '';
}

/** SRT by its mode, others by an option of that name. */
function asksToListen(input: string): boolean {
  const { searchParams } = new URL(input);
  return searchParams.has('listen') || searchParams.getAll('mode').some((mode) => mode !== 'caller');
}

/** Without its secrets, and no more than tells which one it is. */
function shown(input: string): string {
  return masked(input).slice(0, 100);
}

function listens(input: string): Failure {
  const cure = 'add "private" to adminSources, or use an rtp source';
  return refused('input', `${shown(input)} opens a port on this machine: ${cure}`);
}

function refused(option: string, why: string): Failure {
  return new Failure('invalid-options', `source.ffmpeg.${option}: ${why}`);
}

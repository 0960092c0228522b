import {
  AUDIO_CODECS,
  type AudioCodec,
  type Codec,
  RTP_NAMES,
  titleOf,
  VIDEO_CODECS,
  type VideoCodec,
} from '../engine/codecs.ts';
import { Failure } from '../errors.ts';
import { readParameters } from './formats.ts';
import { parameterFault } from './parameters.ts';
import { attribute, has, INVALID, invalid, type Line, linesOfSections, type Section, sectionOf } from './syntax.ts';

/** A leg that somebody sends by RTP, as a session description tells those who are to receive it. */
export interface SentLeg<Name extends Codec = Codec> {
  codec: Name;
  payloadType: number;
  port: number;
  /** Absent: the port after. */
  rtcpPort?: number;
  /** As the rtpmap says, of multiopus alone. */
  channels?: number;
  /** Of its fmtp, names in lower case. */
  parameters?: Record<string, string>;
  /** Where it is sent to, and the number of the line that says so. */
  address?: { name: string; line: number };
}

export interface SentSession {
  video?: SentLeg<VideoCodec>;
  audio?: SentLeg<AudioCodec>;
}

/** What FFmpeg writes before a description on its standard output, and what editors write before a text. */
const HEAD = /^\uFEFF?(SDP:[ \t]*(?=\r?\n))?/;

/**
 * Reads what FFmpeg, cameras and people write of what is sent (RFC 8866). The session's own lines may be missing, and
 * what is neither video nor audio is passed over. Throws `invalid-options`, with the line.
 */
export function readSession(text: string): SentSession {
  try {
    // Another line in its place, so that the numbers stay right.
    const [session, ...media] = linesOfSections(text.replace(HEAD, (_, head) => (head ? 'i=-' : '')));
    const found: SentSession = {};
    for (const lines of media) {
      const [head] = lines;
      if (head === undefined) continue;
      const [kind] = head.value.split(' ');
      if (kind !== 'video' && kind !== 'audio') continue;
      if (found[kind]) throw invalid(`a second line of ${kind}: keep one`, head);
      if (kind === 'video') found.video = readLeg(VIDEO_CODECS, head, lines, session);
      else found.audio = readLeg(AUDIO_CODECS, head, lines, session);
    }
    if (!found.video && !found.audio) throw invalid('neither video nor audio is in it', session[0]);
    return found;
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    throw new Failure('invalid-options', cause.message.replace(INVALID, ''), { cause });
  }
}

function readLeg<Name extends Codec>(
  names: readonly Name[],
  head: Line,
  lines: Line[],
  session: Line[],
): SentLeg<Name> {
  const [, digits, protocol = '', format = '', another] = head.value.split(' ');
  const port = Number(digits);
  if (port === 0) {
    throw invalid('port 0: give the port that it is sent to (what a camera sends by RTSP is read by ffmpeg:)', head);
  }
  if (port > 65_535) throw invalid('a port is at most 65535', head);
  if (protocol !== 'RTP/AVP' && protocol !== 'RTP/AVPF') {
    throw invalid(`${protocol} is not read here: send RTP/AVP`, head);
  }
  if (another !== undefined) throw invalid('several formats: keep the one that is sent', head);
  if (!/^\d{1,3}$/.test(format) || Number(format) > 127) throw invalid(`${format} is no payload type`, head);
  const section = sectionOf(lines);
  const rtcpPort = readRtcpPort(section, port);
  const address = readAddress(lines) ?? readAddress(session);
  return {
    ...readFormat(names, format, section),
    port,
    ...(rtcpPort !== undefined && { rtcpPort }),
    ...(address && { address }),
  };
}

/** Throws when it is none of the codecs, or cannot be received. */
function readFormat<Name extends Codec>(
  names: readonly Name[],
  format: string,
  section: Section,
): Pick<SentLeg<Name>, 'codec' | 'payloadType' | 'channels' | 'parameters'> {
  const payloadType = Number(format);
  const map = attribute(section, `rtpmap:${format}`);
  const line = section.attributes.get(`rtpmap:${format}`)?.[0]?.line ?? section.head;
  const [encoding = '', clockRate, channels] = (map ?? '').replace(/^\S+ +/, '').split('/');
  const codec = names.find((name) =>
    map === undefined
      ? RTP_NAMES[name].staticType === payloadType
      : RTP_NAMES[name].encoding.toLowerCase() === encoding.toLowerCase(),
  );
  if (codec === undefined) {
    if (map === undefined) throw invalid(`no a=rtpmap says what payload type ${format} is`, line);
    throw invalid(`${encoding} cannot be passed on: have it sent as ${names.map(titleOf).join(', ')}`, line);
  }
  if (map !== undefined && Number(clockRate) !== RTP_NAMES[codec].clockRate) {
    throw invalid(`the clock of ${titleOf(codec)} is ${RTP_NAMES[codec].clockRate}`, line);
  }
  const count = channels === undefined ? undefined : Number(channels);
  if (!fits(codec, count)) throw invalid(`${titleOf(codec)} has not ${count ?? 'an unknown number of'} channels`, line);
  const config = attribute(section, `fmtp:${format}`);
  const parameters = readParameters((config ?? '').replace(/^\S+ */, ''));
  parameters.delete('');
  const fault = parameterFault(codec, parameters);
  if (fault !== undefined) throw invalid(fault, section.attributes.get(`fmtp:${format}`)?.[0]?.line);
  return {
    codec,
    payloadType,
    ...(codec === 'multiopus' && { channels: count ?? 0 }),
    ...(parameters.size > 0 && { parameters: Object.fromEntries(parameters) }),
  };
}

/** Opus has two in every rtpmap (RFC 7587 §7), and one that is said is as good as none. */
function fits(codec: Codec, channels: number | undefined): boolean {
  if (codec === 'multiopus') return channels !== undefined && channels >= 3 && channels <= 8;
  return channels === undefined || channels === 1 || (codec === 'opus' && channels === 2);
}

/** RFC 3605 §2.1, RFC 5761 §5.1.1. */
function readRtcpPort(section: Section, port: number): number | undefined {
  const rtcp = attribute(section, 'rtcp');
  if (rtcp === undefined) return has(section, 'rtcp-mux') ? port : undefined;
  const [digits = ''] = rtcp.split(' ');
  if (/^\d{1,5}$/.test(digits) && Number(digits) > 0 && Number(digits) < 65_536) return Number(digits);
  throw invalid('a=rtcp begins with a port', section.attributes.get('rtcp')?.[0]?.line);
}

/** RFC 8866 §5.7; of a group without its scope. */
function readAddress(lines: Line[]): SentLeg['address'] {
  const line = lines.find(({ type }) => type === 'c');
  if (line === undefined) return undefined;
  const [, name] = /^IN IP[46] ([^\s/]+)(?:\/\d+){0,2}$/.exec(line.value) ?? [];
  if (name === undefined) throw invalid('a malformed c= line (RFC 8866 §5.7)', line);
  return { name, line: line.number };
}

import { type MediaDescription, write } from 'sdp-transform';
import { type Codec, RTP_NAMES } from '../engine/codecs.ts';
import type { MediaLine } from '../engine/port.ts';
import type { Choice } from './codecs/codec.ts';
import { extensionsOf } from './extensions.ts';
import type { Format } from './formats.ts';
import type { MediaOffer } from './offer.ts';
import { attributes, has } from './syntax.ts';

/** An m-line that will be accepted. */
export interface Accepted {
  line: MediaOffer;
  /** Its section of the answer, without the transport. */
  answer: MediaDescription;
  media: MediaLine;
}

/** How a line is accepted. */
export interface Terms {
  codec: { readonly name: Codec; readonly channels?: number };
  choice: Choice;
  rtx?: Format;
  /** What of RFC 4585 and RFC 5104 is wanted; the answer has what was offered of it. */
  feedback: string[];
  /** Header extensions wanted; the answer has what was offered of them. */
  extensions: ExtensionName[];
  /** Present when this server sends. */
  send?: { ssrc: () => number; cname: string; msid: string };
}

type ExtensionName = keyof MediaLine['extensions'];

const URIS: Record<ExtensionName, string> = {
  mid: 'urn:ietf:params:rtp-hdrext:sdes:mid', // RFC 9143 §15
  absCaptureTime: 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time',
  playoutDelay: 'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
};

/** The reduced offer and the local description name the proto that is really used, whatever name was offered. */
export const PROTO = 'UDP/TLS/RTP/SAVPF';
/** RFC 8829 §5.3.1: no address is known when an answer is made; the candidates say where. */
export const NO_ADDRESS = { version: 4, ip: '0.0.0.0' };
/** For a session that only receives, in its RTCP (RFC 3550 §6.5.1). */
const RECEIVER_CNAME = 'fetch-whep';

/** Accepts a line on these terms (RFC 8829 §5.3.1, RFC 3264 §6.1). */
export function acceptLine(line: MediaOffer, terms: Terms): Accepted {
  const { codec, rtx, send } = terms;
  const { format, channels } = terms.choice;
  const { kind, mid } = line;
  const ssrc = send?.ssrc() ?? announcedSsrc(line);
  const rtxSsrc = rtx && (send?.ssrc() ?? 0);
  const feedback = terms.feedback.filter((each) => isOffered(line, format.payloadType, each));
  const extensions = acceptExtensions(line, terms.extensions, send !== undefined);

  const answer: MediaDescription = {
    type: kind,
    port: 9,
    protocol: line.proto,
    connection: NO_ADDRESS,
    ...codecLines(terms),
    rtcpFb: feedback.map((type) => ({ payload: format.payloadType, type })),
    ext: extensions.map(({ name, id, directed }) => ({
      value: id,
      uri: URIS[name],
      ...(directed && { direction: send ? 'sendonly' : 'recvonly' }),
    })),
    mid,
    direction: send ? 'sendonly' : 'recvonly',
    rtcpMux: 'rtcp-mux',
    ...(has(line.section, 'rtcp-rsize') && { rtcpRsize: 'rtcp-rsize' }),
    ...(send && senderLines(send, kind, ssrc, rtxSsrc)),
  };
  const media: MediaLine = {
    kind,
    mid,
    description: describe({ ...answer, protocol: PROTO }),
    codec: codec.name,
    ...(channels !== undefined && { channels }),
    payloadType: format.payloadType,
    ssrc,
    cname: send?.cname ?? RECEIVER_CNAME,
    ...(rtx && rtxSsrc !== undefined && { rtx: { payloadType: rtx.payloadType, ssrc: rtxSsrc } }),
    extensions: Object.fromEntries(extensions.map(({ name, id }) => [name, id])),
    nack: feedback.includes('nack'),
  };
  return { line, answer, media };
}

function codecLines({ codec, choice, rtx }: Terms): Pick<MediaDescription, 'payloads' | 'rtp' | 'fmtp'> {
  const payload = choice.format.payloadType;
  const rtp = rtpmap(payload, codec.name, choice.channels ?? codec.channels);
  const fmtp = choice.config === '' ? [] : [{ payload, config: choice.config }];
  if (!rtx) return { payloads: String(payload), rtp: [rtp], fmtp };
  return {
    payloads: `${payload} ${rtx.payloadType}`,
    rtp: [rtp, { payload: rtx.payloadType, codec: 'rtx', rate: rtx.clockRate }],
    fmtp: [...fmtp, { payload: rtx.payloadType, config: `apt=${payload}` }],
  };
}

/** RFC 8866 §6.6. */
export function rtpmap(payload: number, codec: Codec, channels?: number): MediaDescription['rtp'][number] {
  const { encoding, clockRate } = RTP_NAMES[codec];
  return { payload, codec: encoding, rate: clockRate, ...(channels !== undefined && { encoding: channels }) };
}

/** Who sends: one MediaStream for every line (RFC 8830 §3), SSRCs with one CNAME and the RTX pair (RFC 5576 §4). */
function senderLines(send: { cname: string; msid: string }, kind: string, ssrc: number, rtxSsrc: number | undefined) {
  const ids = rtxSsrc === undefined ? [ssrc] : [ssrc, rtxSsrc];
  return {
    msid: [{ id: send.msid, appdata: kind }],
    ssrcs: ids.map((id) => ({ id, attribute: 'cname', value: send.cname })),
    ...(ids.length > 1 && { ssrcGroups: [{ semantics: 'FID', ssrcs: ids.join(' ') }] }),
  };
}

/** RFC 4585 §4.2: for this payload type, or for all by a wildcard. */
function isOffered({ section }: MediaOffer, payloadType: number, feedback: string): boolean {
  return [String(payloadType), '*'].some((whose) =>
    attributes(section, `rtcp-fb:${whose}`).some(({ value }) => value === `${whose} ${feedback}`),
  );
}

/**
 * RFC 8285 §5 and §6: offered ids only, in the direction that leaves this server something to do. Those of the session
 * are for every line. Ids above 14 need the two-byte form, and a mid above 16 bytes does not fit the one-byte form (§4.2).
 */
function acceptExtensions(line: MediaOffer, wanted: ExtensionName[], sending: boolean) {
  const possible = ['sendrecv', sending ? 'recvonly' : 'sendonly', undefined];
  const offered = [line.section, line.session].flatMap(extensionsOf);
  return wanted.flatMap((name) => {
    const found = offered.find(
      ({ uri, id, direction }) => uri === URIS[name] && id <= 14 && possible.includes(direction),
    );
    if (!found || (name === 'mid' && (line.mid.length > 16 || !has(line.section, 'mid')))) return [];
    return [{ name, id: found.id, directed: found.direction !== undefined }];
  });
}

/** A sender's SSRC for the line, before its repair streams (RFC 5576 §4.1 and §4.2); 0 when there is none. */
export function announcedSsrc({ section }: MediaOffer): number {
  const [group] = attributes(section, 'ssrc-group');
  const [single] = attributes(section, 'ssrc');
  const ssrc = Number(group?.value?.split(' ', 2)[1] ?? single?.value?.split(' ', 1)[0]);
  return Number.isInteger(ssrc) && ssrc > 0 && ssrc < 2 ** 32 ? ssrc : 0;
}

/** One media section as text. */
export function describe(media: MediaDescription): string {
  const origin = { username: '-', sessionId: 0, sessionVersion: 0, netType: 'IN', ipVer: 4, address: '0.0.0.0' };
  const text = write({ version: 0, origin, name: '-', timing: { start: 0, stop: 0 }, media: [media] });
  return text.slice(text.indexOf('\r\nm=') + 2);
}

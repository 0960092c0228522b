import { type MediaDescription, write } from 'sdp-transform';
import { AUDIO_CODECS, RTP_NAMES, VIDEO_CODECS } from '../engine/codecs.ts';
import type { AnsweredLeg } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import { announcedSsrc, NO_ADDRESS, PROTO } from './accept.ts';
import { CODECS } from './codecs/table.ts';
import { formatsOf } from './formats.ts';
import { type MediaOffer, type Offer, parseOffer } from './offer.ts';
import type { PullLine } from './pull-offer.ts';
import { INVALID } from './syntax.ts';
import { type RemoteTransport, withCandidates } from './transport.ts';

/** An answer that can be given to the engine. */
export interface PullAnswer {
  /** Reduced to what was offered and accepted; nothing of the other server's text gets through unread. */
  answer: string;
  /** Those that the other server sends, and as what. */
  legs: AnsweredLeg[];
}

/**
 * Judges another server's answer to `lines` (RFC 3264 §6, RFC 8829 §5.3.1, RFC 9143 §7.3): it may have been made by an
 * attacker. Throws `invalid-answer` with the reason.
 */
export function readAnswer(sdp: string, lines: readonly PullLine[]): PullAnswer {
  try {
    return judge(parseOffer(sdp, 'serve'), lines);
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'invalid-answer') throw error;
    throw invalid(error.message.replace(INVALID, ''));
  }
}

function judge(answer: Offer, lines: readonly PullLine[]): PullAnswer {
  if (answer.lines.length !== lines.length) {
    throw invalid(`it has ${answer.lines.length} m-lines, the offer ${lines.length}`);
  }
  const accepted = answer.lines.flatMap(({ index, live, kind, mid }) => {
    const line = lines[index];
    if (kind !== line?.kind) throw invalid(`m-line ${index} is ${kind}, and was offered as ${line?.kind}`);
    if (!live) return [];
    if (mid !== line.mid) throw invalid(`m-line ${index} has mid ${mid}, and was offered as ${line.mid}`);
    const media = answer.media.find((each) => each.index === index);
    if (!media) throw invalid(`m-line ${index} is outside the BUNDLE group`);
    const formats = acceptedFormats(media, line);
    return [{ media: { ...media, formats: formats.map(({ payloadType }) => String(payloadType)) }, formats }];
  });
  const [tag] = accepted;
  if (!tag) throw invalid('it accepts neither video nor audio');
  checkSsrcs(accepted.map(({ media }) => media));
  const { transport } = tag.media;
  // Our offer left no other choice. Pion writes `active` whatever was offered, and keeps to the offer.
  if (transport.setup === 'actpass') throw invalid('it does not choose a DTLS role (RFC 8842 §5.3)');
  return {
    answer: reduce(
      lines,
      accepted.map(({ media }) => media),
      answer.iceLite,
      withCandidates(transport),
    ),
    legs: accepted.flatMap(({ media: { kind }, formats: [first] }) => {
      if (!first) return [];
      const { payloadType: _, ...told } = first;
      return [{ kind, ...told }];
    }),
  };
}

/**
 * RFC 3264 §6.1: formats of the offer alone, under the numbers of the offer. Of several codecs the first is the one that is
 * meant; a leg has no other.
 */
function acceptedFormats(media: MediaOffer, { formats }: PullLine): PullLine['formats'] {
  if (!media.proto.includes('SAVPF')) throw invalid(`m-line ${media.index} is sent as ${media.proto}, not ${PROTO}`);
  const known = new Map(formatsOf(media, [...VIDEO_CODECS, ...AUDIO_CODECS]).map((each) => [each.payloadType, each]));
  const accepted = media.formats.map((format) => {
    const offered = formats.find(({ payloadType }) => String(payloadType) === format);
    if (!offered) throw invalid(`payload type ${format} was not offered`);
    const { encoding, clockRate } = RTP_NAMES[offered.codec];
    const channels = offered.channels ?? CODECS[offered.codec].channels ?? 1;
    const found = known.get(offered.payloadType);
    const same = found?.codec === encoding.toLowerCase() && found.clockRate === clockRate;
    if (!same || (found.channels ?? channels) !== channels) {
      throw invalid(`payload type ${format} is not ${encoding} as offered`);
    }
    return offered;
  });
  return accepted.filter(({ codec, channels }) => codec === accepted[0]?.codec && channels === accepted[0].channels);
}

/** An answer need not announce any (RFC 9143 §9.2: MID and payload type tell packets apart too). */
function checkSsrcs(media: MediaOffer[]): void {
  const announced = media.map(announcedSsrc).filter((ssrc) => ssrc !== 0);
  if (new Set(announced).size < announced.length) throw invalid('two m-lines have one SSRC (RFC 3550 §8)');
}

function reduce(
  lines: readonly PullLine[],
  accepted: readonly MediaOffer[],
  iceLite: boolean,
  remote: RemoteTransport,
): string {
  const [tag] = accepted;
  return write({
    version: 0,
    origin: { username: '-', sessionId: 1, sessionVersion: 1, netType: 'IN', ipVer: 4, address: '127.0.0.1' },
    name: '-',
    timing: { start: 0, stop: 0 },
    ...(iceLite && { icelite: 'ice-lite' as const }),
    groups: [{ type: 'BUNDLE', mids: accepted.map(({ mid }) => mid).join(' ') }],
    media: lines.map((line, index) => {
      const media = accepted.find((each) => each.index === index);
      return media ? reduceLine(line, media, remote, media === tag) : rejected(line);
    }),
  });
}

function reduceLine(
  { section, mid }: PullLine,
  media: MediaOffer,
  remote: RemoteTransport,
  tagged: boolean,
): MediaDescription {
  const ssrc = announcedSsrc(media);
  const kept = ({ payload }: { payload: number | string }) => media.formats.includes(String(payload));
  return {
    ...section,
    payloads: media.formats.join(' '),
    rtp: section.rtp.filter(kept),
    fmtp: section.fmtp.filter(kept),
    rtcpFb: section.rtcpFb?.filter(kept) ?? [],
    direction: 'sendonly',
    iceUfrag: remote.ufrag,
    icePwd: remote.pwd,
    fingerprint: remote.fingerprint,
    setup: 'passive',
    ...(ssrc !== 0 && { ssrcs: [{ id: ssrc, attribute: 'cname', value: mid }] }),
    ...(tagged && { candidates: remote.candidates }),
  };
}

/** RFC 3264 §6: port 0. */
function rejected({ kind, mid }: PullLine): MediaDescription {
  return {
    type: kind,
    port: 0,
    protocol: PROTO,
    payloads: '0',
    connection: NO_ADDRESS,
    mid,
    direction: 'inactive',
    rtp: [],
    fmtp: [],
  };
}

function invalid(reason: string): Failure {
  return new Failure('invalid-answer', `the other server's answer is invalid: ${reason}`);
}

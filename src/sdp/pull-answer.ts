import { type MediaDescription, write } from 'sdp-transform';
import type { LegKind } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import { announcedSsrc, NO_ADDRESS, PROTO } from './accept.ts';
import { formatsOf } from './formats.ts';
import { type MediaOffer, type Offer, parseOffer } from './offer.ts';
import type { PullLine } from './pull-offer.ts';
import { INVALID } from './syntax.ts';
import { type RemoteTransport, withCandidates } from './transport.ts';

/** An answer that can be given to the engine. */
export interface PullAnswer {
  /** Reduced to what was offered and accepted; nothing of the other server's text gets through unread. */
  answer: string;
  /** Those that the other server sends. */
  legs: LegKind[];
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
    checkFormats(media, line);
    return [{ media, line }];
  });
  const [tag] = accepted;
  if (!tag) throw invalid('it accepts neither video nor audio');
  checkSsrcs(accepted.map(({ media }) => media));
  const { transport } = tag.media;
  // Our offer left no other choice. Pion writes `active` whatever was offered, and keeps to the offer.
  if (transport.setup === 'actpass') throw invalid('it does not choose a DTLS role (RFC 8842 §5.3)');
  return { answer: reduce(lines, answer, withCandidates(transport)), legs: accepted.map(({ line }) => line.kind) };
}

/** RFC 3264 §6.1: formats of the offer alone, under the numbers of the offer. */
function checkFormats(media: MediaOffer, { section }: PullLine): void {
  if (!media.proto.includes('SAVPF')) throw invalid(`m-line ${media.index} is sent as ${media.proto}, not ${PROTO}`);
  const known = formatsOf(media);
  for (const format of media.formats) {
    const offered = section.rtp.find(({ payload }) => String(payload) === format);
    if (!offered) throw invalid(`payload type ${format} was not offered`);
    const found = known.find(({ payloadType }) => payloadType === offered.payload);
    if (found?.codec !== offered.codec.toLowerCase() || found.clockRate !== offered.rate) {
      throw invalid(`payload type ${format} is not ${offered.codec} as offered`);
    }
  }
}

/** An answer need not announce any (RFC 9143 §9.2: MID and payload type tell packets apart too). */
function checkSsrcs(media: MediaOffer[]): void {
  const announced = media.map(announcedSsrc).filter((ssrc) => ssrc !== 0);
  if (new Set(announced).size < announced.length) throw invalid('two m-lines have one SSRC (RFC 3550 §8)');
}

function reduce(lines: readonly PullLine[], answer: Offer, remote: RemoteTransport): string {
  const tag = answer.media[0];
  return write({
    version: 0,
    origin: { username: '-', sessionId: 1, sessionVersion: 1, netType: 'IN', ipVer: 4, address: '127.0.0.1' },
    name: '-',
    timing: { start: 0, stop: 0 },
    ...(answer.iceLite && { icelite: 'ice-lite' as const }),
    groups: [{ type: 'BUNDLE', mids: answer.media.map(({ mid }) => mid).join(' ') }],
    media: lines.map((line, index) => {
      const media = answer.media.find((each) => each.index === index);
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

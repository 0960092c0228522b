import type { LegKind } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import { configOf } from './formats.ts';
import type { MediaOffer, OfferLine, Role } from './offer.ts';
import { attribute, attributes, headOf, invalid, type Section } from './syntax.ts';

/** What an offer must keep beyond the form of its lines. Throws `invalid-offer` or, for publishers, `unsupported-offer`. */
export function checkOffer(role: Role, lines: OfferLine[], session: Section): void {
  if (lines.length === 0) throw invalid('there is no m-line', headOf(session));
  checkMids(lines);
  const media = lines.filter(isLiveMedia);
  for (const line of media) {
    checkDirection(line, role);
    checkLine(line, session);
  }
  if (role === 'publish') checkTracks(media);
}

/** Bundled lines are one RTP session: a number means the same in each (RFC 9143 §9.1 and §12). */
export function checkBundle(media: MediaOffer[]): void {
  const codecs = new Map<number, string>();
  const extensions = new Map<number, string>();
  for (const { kind, formats, tree, section } of media) {
    for (const { payload, codec, rate, encoding } of tree.rtp) {
      if (!formats.includes(String(payload))) continue;
      const config = configOf(section, String(payload));
      const meaning = `${kind} ${codec}/${rate}/${encoding ?? 1} ${config}`.toLowerCase();
      if ((codecs.get(payload) ?? meaning) !== meaning) {
        throw invalid(`payload type ${payload} means two things in one bundle (RFC 9143 §9.1)`, headOf(section));
      }
      codecs.set(payload, meaning);
    }
    for (const { value, uri } of tree.ext) {
      if ((extensions.get(value) ?? uri) !== uri) {
        throw invalid(`header extension ${value} means two things in one bundle (RFC 9143 §12)`, headOf(section));
      }
      extensions.set(value, uri);
    }
  }
}

/** The lines the rules apply to; the others are rejected in the answer, whatever is in them. */
export function isLiveMedia(line: OfferLine): line is OfferLine & { kind: LegKind } {
  return line.live && isMedia(line.kind);
}

export function isMedia(kind: string): kind is LegKind {
  return kind === 'audio' || kind === 'video';
}

export function unsupported(reason: string): Failure {
  return new Failure('unsupported-offer', `webrtc: unsupported offer: ${reason}`);
}

/** RFC 5888 §4: no two m-lines share a mid. */
function checkMids(lines: OfferLine[]): void {
  const seen = new Set<string>();
  for (const { value = '', line } of lines.flatMap(({ section }) => attributes(section, 'mid'))) {
    if (seen.has(value)) throw invalid(`mid ${value} is taken (RFC 5888 §4)`, line);
    seen.add(value);
  }
}

/**
 * draft-ietf-wish-whep §4.3.6: who watches receives; RFC 9725 §4.2: who publishes sends. RFC 3264 §6.1: the answer to
 * recvonly is sendonly.
 */
function checkDirection({ direction, section }: OfferLine, role: Role): void {
  const wanted = role === 'watch' ? 'recvonly' : 'sendonly';
  if (direction === wanted || (direction === 'sendrecv' && role !== 'serve')) return;
  const given = attributes(section, direction)[0]?.line ?? headOf(section);
  throw invalid(`the m-line is ${direction} and must be ${wanted}${role === 'serve' ? '' : ' or sendrecv'}`, given);
}

function checkLine({ mid, bundleOnly, proto, formats, section }: OfferLine, session: Section): void {
  const head = headOf(section);
  if (mid === '') throw invalid('the m-line has no mid (RFC 8829 §5.2.1)', head);
  // RFC 9143 §9.3.1.1 exempts bundle-only lines; RFC 8858 §4.2: rtcp-mux-only asks for the same and more.
  const mux = ['rtcp-mux', 'rtcp-mux-only'].some((name) => attribute(section, name) !== undefined);
  if (!mux && !bundleOnly) throw invalid('the m-line has no a=rtcp-mux (RFC 8858 §4.3)', head);
  const [sdes] = [section, session].flatMap((each) => attributes(each, 'crypto'));
  if (sdes) throw invalid('SDES keys are not allowed (RFC 8829 §5.1.1)', sdes.line);
  // RFC 8866 §5.14 and RFC 3550 §5.1: RTP formats are payload types, numbers of seven bits.
  const payloadType = /^(\d|[1-9]\d|1[01]\d|12[0-7])$/;
  const odd = formats.find((each, at) => !payloadType.test(each) || formats.indexOf(each) !== at);
  if (proto.includes('RTP/') && odd !== undefined) {
    throw invalid(`${odd} is no payload type or stands there twice (RFC 8866 §5.14)`, head);
  }
}

/** RFC 9725 §4.4.2: one MediaStream with at most one track of a kind; what is more is refused as a whole. */
function checkTracks(media: OfferLine[]): void {
  for (const kind of ['audio', 'video']) {
    if (media.filter((line) => line.kind === kind).length > 1) throw unsupported(`more than one ${kind} track`);
  }
  const streams = media.flatMap(({ section }) => attributes(section, 'msid').map(({ value }) => value?.split(' ')[0]));
  // RFC 8830 §2: `-` is no stream.
  if (new Set(streams.filter((stream) => stream !== '-')).size > 1) throw unsupported('more than one MediaStream');
}

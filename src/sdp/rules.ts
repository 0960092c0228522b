import type { LegKind } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import { extensionsOf } from './extensions.ts';
import { meaningOf } from './formats.ts';
import type { MediaOffer, OfferLine, Role } from './offer.ts';
import { attribute, attributes, DIRECTIONS, has, invalid, type Section } from './syntax.ts';

export type LiveMedia = OfferLine & { kind: LegKind };

/** RFC 5888 §4: no two m-lines share a mid. Throws `invalid-offer`. */
export function checkMids(lines: OfferLine[]): void {
  const seen = new Set<string>();
  for (const { mid, section } of lines) {
    if (seen.has(mid)) throw invalid(`mid ${mid} is taken (RFC 5888 §4)`, attributes(section, 'mid')[0]?.line);
    if (mid !== '') seen.add(mid);
  }
}

/**
 * The live audio and video that goes the right way, and the rest of it. draft-ietf-wish-whep §4.3.6: who watches receives;
 * RFC 9725 §4.2: who publishes sends. A line of another direction, such as one for a microphone, can be rejected alone;
 * an offer of nothing else is `invalid-offer`, as is any such line of an answer (RFC 3264 §6.1).
 */
export function sortByDirection(role: Role, lines: OfferLine[]): { fitting: LiveMedia[]; others: LiveMedia[] } {
  const wanted = role === 'watch' ? 'recvonly' : 'sendonly';
  const fits = ({ direction }: OfferLine) => direction === wanted || (direction === 'sendrecv' && role !== 'serve');
  const media = lines.filter(isLiveMedia);
  const fitting = media.filter(fits);
  const others = media.filter((line) => !fits(line));
  const [odd] = others;
  if (odd && (role === 'serve' || fitting.length === 0)) {
    const given = attributes(odd.section, odd.direction)[0]?.line ?? odd.section.head;
    throw invalid(
      `the m-line is ${odd.direction} and must be ${wanted}${role === 'serve' ? '' : ' or sendrecv'}`,
      given,
    );
  }
  for (const { section } of fitting) checkNames(section);
  return { fitting, others };
}

/** What a line must keep to be accepted. Throws `invalid-offer`. */
export function checkLine({ bundleOnly, proto, formats, section }: OfferLine, session: Section): void {
  // RFC 9143 §9.3.1.1 exempts bundle-only lines; RFC 8858 §4.2: rtcp-mux-only asks for the same and more.
  const mux = ['rtcp-mux', 'rtcp-mux-only'].some((name) => has(section, name));
  if (!mux && !bundleOnly) throw invalid('the m-line has no a=rtcp-mux (RFC 8858 §4.3)', section.head);
  const sdes = attributes(section, 'crypto')[0] ?? attributes(session, 'crypto')[0];
  if (sdes) throw invalid('SDES keys are not allowed (RFC 8829 §5.1.1)', sdes.line);
  if (proto.includes('RTP/')) checkPayloadTypes(formats, section);
}

/** Bundled lines are one RTP session: a number means the same in each (RFC 9143 §9.1 and §12). Throws `invalid-offer`. */
export function checkBundle(media: MediaOffer[], session: Section): void {
  const codecs = new Map<string, string>();
  const extensions = new Map<number, string>();
  for (const { id, uri, line } of [session, ...media.map(({ section }) => section)].flatMap(extensionsOf)) {
    if ((extensions.get(id) ?? uri) !== uri) {
      throw invalid(`header extension ${id} means two things in one bundle (RFC 9143 §12)`, line);
    }
    extensions.set(id, uri);
  }
  for (const { kind, formats, section } of media) {
    for (const format of formats) {
      const described = meaningOf(section, format);
      if (described === undefined) continue;
      const meaning = `${kind} ${described}`;
      if ((codecs.get(format) ?? meaning) !== meaning) {
        throw invalid(`payload type ${format} means two things in one bundle (RFC 9143 §9.1)`, section.head);
      }
      codecs.set(format, meaning);
    }
  }
}

/** RFC 9725 §4.4.2: one MediaStream with at most one track of a kind; what is more is refused as a whole. */
export function checkTracks(media: OfferLine[]): void {
  for (const kind of ['audio', 'video']) {
    if (media.filter((line) => line.kind === kind).length > 1) throw unsupported(`more than one ${kind} track`);
  }
  const streams = media.flatMap(({ section }) =>
    attributes(section, 'msid').map(({ value }) => value?.split(' ', 1)[0]),
  );
  // RFC 8830 §2: `-` is no stream.
  if (new Set(streams.filter((stream) => stream !== '-')).size > 1) throw unsupported('more than one MediaStream');
}

export function unsupported(reason: string): Failure {
  return new Failure('unsupported-offer', `webrtc: unsupported offer: ${reason}`);
}

/** The lines the rules apply to; the others are rejected in the answer, whatever is in them. */
function isLiveMedia(line: OfferLine): line is LiveMedia {
  return line.live && (line.kind === 'audio' || line.kind === 'video');
}

/** One mid, and one direction. */
function checkNames(section: Section): void {
  attribute(section, 'mid');
  const [, second] = DIRECTIONS.flatMap((direction) => attributes(section, direction));
  if (second) throw invalid('a second direction', second.line);
}

/** RFC 8866 §5.14 and RFC 3550 §5.1: RTP formats are payload types, numbers of seven bits. */
function checkPayloadTypes(formats: string[], section: Section): void {
  const seen = new Set<string>();
  for (const format of formats) {
    if (seen.has(format) || !/^(\d|[1-9]\d|1[01]\d|12[0-7])$/.test(format)) {
      throw invalid(`${format} is no payload type or stands there twice (RFC 8866 §5.14)`, section.head);
    }
    seen.add(format);
  }
}

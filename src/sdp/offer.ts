import { type MediaDescription, parse } from 'sdp-transform';
import type { LegKind } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import { readCandidate } from './candidate.ts';
import { checkBundle, checkOffer, isLiveMedia, isMedia } from './rules.ts';
import {
  attribute,
  attributes,
  DIRECTIONS,
  type Direction,
  headOf,
  invalid,
  readSections,
  type Section,
} from './syntax.ts';
import { type OfferTransport, readTransport } from './transport.ts';

/**
 * What the client wants of the server: WHEP offers come to watch, WHIP offers to publish. `serve`: a description that
 * another server answered an offer of ours with, which keeps the same rules.
 */
export type Role = 'watch' | 'publish' | 'serve';

/** A parsed description that keeps every rule of its role. */
export interface Offer {
  role: Role;
  /** Every m-line, in place. */
  lines: OfferLine[];
  /** Those that may be accepted: live audio and video on the transport of the first live line. */
  media: MediaOffer[];
  /** The BUNDLE group of the first live line, in the offer's order (RFC 9143 §7.2); absent without one. */
  bundle?: string[];
  /** The ICE options offered anywhere (RFC 8839 §5.6). */
  iceOptions: string[];
  iceLite: boolean;
}

export interface OfferLine {
  index: number;
  /** `audio`, `video`, `application` ... */
  kind: string;
  proto: string;
  formats: string[];
  /** Empty when the line has none. */
  mid: string;
  direction: Direction;
  /** Offered at all: a zero port has two meanings (RFC 9143 §7.2). */
  live: boolean;
  /** Offered only as part of the bundle (RFC 9143 §6). */
  bundleOnly: boolean;
  /** From its own attributes and the session's; absent where no rule asks for one. */
  transport: OfferTransport | undefined;
  /** The line and its attributes, as written. */
  section: Section;
  tree: FormatTree;
}

/** The formats and header extensions of a line, as sdp-transform reads them. */
export type FormatTree = Required<Pick<MediaDescription, 'rtp' | 'ext'>>;

/** A line that may be accepted. */
export interface MediaOffer extends OfferLine {
  kind: LegKind;
  transport: OfferTransport;
}

/** An offer with more is refused, whatever is in it. */
const MAX_LINES = 64;
const MAX_CANDIDATES = 200;

/**
 * Reads and judges an offer (RFC 8829 §5.8, draft-ietf-wish-whep §4.3.6, RFC 9725 §4.4).
 *
 * Throws a `Failure`: `invalid-sdp` when it is no session description, `too-many-m-lines`, `too-many-candidates`,
 * `invalid-offer` with the reason and the line, and for publishers `unsupported-offer` when it asks for more than one
 * video track, one audio track or one MediaStream.
 */
export function parseOffer(sdp: string, role: Role): Offer {
  if (!sdp.startsWith('v=')) throw new Failure('invalid-sdp', 'webrtc: invalid SDP');
  if (count(sdp, /\nm=/g) > MAX_LINES) throw new Failure('too-many-m-lines', 'too many m-lines');
  if (count(sdp, /\na=candidate:/g) > MAX_CANDIDATES) throw new Failure('too-many-candidates', 'too many candidates');

  const [session, ...sections] = readSections(sdp);
  checkCandidates([session, ...sections]);
  const groups = bundleGroups(session);
  const trees = readTrees([session, ...sections]);
  const lines = sections.map((section, index) => readLine(index, section, session, trees[index] ?? NO_FORMATS, groups));
  checkOffer(role, lines, session);

  const first = lines.find(({ live }) => live);
  const bundle = groups.find((mids) => first && mids.includes(first.mid));
  // RFC 8829 §5.3.1: with max-bundle, what cannot share the first transport is rejected.
  const joined = lines.filter((line) => line.live && (line === first || bundle?.includes(line.mid)));
  const media = joined.filter(isLiveMedia).map((line) => complete(line, joined));
  checkBundle(media);
  return {
    role,
    lines,
    media,
    ...(bundle && { bundle }),
    iceOptions: [session, ...sections].flatMap((each) => attribute(each, 'ice-options')?.split(/[ ,]/) ?? []),
    iceLite: attribute(session, 'ice-lite') !== undefined,
  };
}

/**
 * The ICE generation that the session begins with, to tell a trickle from a restart. Lines may have credentials of their
 * own, and which a client sends depends on what it believes to be the tag (RFC 9143 §7.3.1).
 */
export function offerCredentials({ lines }: Offer): { ufrag: string; pwd: string }[] {
  return lines.flatMap(({ transport }) => (transport ? [{ ufrag: transport.ufrag, pwd: transport.pwd }] : []));
}

/**
 * sdp-transform's view of each m-line. It tries some sixty expressions on a line, so it is shown only what it is asked
 * about. Session-level header extensions apply to every line (RFC 8285 §5).
 */
function readTrees(sections: Section[]): FormatTree[] {
  const asked = /^(m=|a=(rtpmap|extmap):)/;
  const texts = sections.flatMap(({ lines }) => lines.map(({ text }) => text).filter((text) => asked.test(text)));
  const { media, ext = [] } = parse(texts.join('\r\n'));
  return media.map(({ rtp, ext: own = [] }) => ({ rtp, ext: [...own, ...ext] }));
}

const NO_FORMATS: FormatTree = { rtp: [], ext: [] };

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

/** RFC 8839 §5.1: a candidate may be of no use, but not malformed. */
function checkCandidates(sections: Section[]): void {
  for (const { value, line } of sections.flatMap((section) => attributes(section, 'candidate'))) {
    if (value === undefined || !readCandidate(value)) throw invalid('a malformed a=candidate', line);
  }
}

/** RFC 9143 §7.1: a mid is in one BUNDLE group at most. Mids without an m-line are harmless (FFmpeg lists one). */
function bundleGroups(session: Section): string[][] {
  const seen = new Set<string>();
  return attributes(session, 'group').flatMap(({ value = '', line }) => {
    const [semantics, ...mids] = value.split(' ');
    if (semantics !== 'BUNDLE') return [];
    for (const mid of mids) {
      if (seen.has(mid)) throw invalid(`mid ${mid} is in a BUNDLE group already (RFC 9143 §7.1)`, line);
      seen.add(mid);
    }
    return [mids];
  });
}

function readLine(index: number, section: Section, session: Section, tree: FormatTree, groups: string[][]): OfferLine {
  const [kind = '', port = '', proto = '', ...formats] = section.lines[0]?.value.split(' ') ?? [];
  const mid = attribute(section, 'mid') ?? '';
  const bundled = groups.some((group) => group.includes(mid));
  const bundleOnly = bundled && Number(port) === 0 && attribute(section, 'bundle-only') !== undefined;
  const live = Number(port) !== 0 || bundleOnly;
  return {
    index,
    kind,
    proto,
    formats,
    mid,
    direction: directionOf(section) ?? directionOf(session) ?? 'sendrecv', // RFC 8866 §6.7
    live,
    bundleOnly,
    transport: readTransport(section, session, live && !bundleOnly && isMedia(kind)),
    section,
    tree,
  };
}

function directionOf(section: Section): Direction | undefined {
  return DIRECTIONS.find((direction) => attribute(section, direction) !== undefined);
}

/**
 * A bundle-only line without a transport of its own has that of the line it is bundled with (RFC 9143 §7.1.3), also
 * when that one will be rejected: a max-bundle client has no other.
 */
function complete(line: OfferLine & { kind: LegKind }, joined: OfferLine[]): MediaOffer {
  const transport = line.transport ?? joined.find((each) => each.transport)?.transport;
  if (!transport) throw invalid('no line of the bundle has a transport (RFC 9143 §7.1.3)', headOf(line.section));
  return { ...line, transport };
}

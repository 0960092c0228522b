import type { LegKind } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import { checkBundle, checkLine, checkMids, checkTracks, type LiveMedia, sortByDirection } from './rules.ts';
import {
  attributes,
  DIRECTIONS,
  type Direction,
  has,
  invalid,
  isWellFormed,
  readSections,
  type Section,
} from './syntax.ts';
import { type OfferTransport, readParts, readTransport } from './transport.ts';

/**
 * What the client wants of the server: WHEP offers come to watch, WHIP offers to publish. `serve`: a description that
 * another server answered an offer of ours with, which keeps the same rules.
 */
export type Role = 'watch' | 'publish' | 'serve';

/** A parsed description; what may be accepted of it keeps every rule of its role. */
export interface Offer {
  role: Role;
  /** Every m-line, in place. */
  lines: OfferLine[];
  /** Those that may be accepted: live audio and video in the role's direction, on the transport of the first such line. */
  media: MediaOffer[];
  /** Other live audio and video, and why it has to be rejected. */
  aside: Aside[];
  /** The BUNDLE group of `media`, in the offer's order (RFC 9143 §7.2); absent without one. */
  bundle?: readonly string[];
  /** The transports offered for `media`, also by lines of the bundle that will be rejected. */
  transports: OfferTransport[];
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
  /** The line and its attributes, as written. */
  section: Section;
}

/** A line that may be accepted. Without a mid of its own it has `UNNAMED` here. */
export interface MediaOffer extends OfferLine {
  kind: LegKind;
  /** From its own attributes and the session's. */
  transport: OfferTransport;
  /** What it shares with the other lines. */
  session: Section;
}

export interface Aside {
  line: LiveMedia;
  cause: 'direction' | 'outside the BUNDLE group';
}

/** For the engine, which knows lines by their mids. A line without one is in no group, and so the only one (RFC 9143 §7.2). */
const UNNAMED = '0';

/** An offer with more is refused, whatever is in it. */
const MAX_LINES = 64;
const MAX_CANDIDATES = 200;

/**
 * Reads and judges an offer (RFC 8829 §5.8, draft-ietf-wish-whep §4.3.6, RFC 9725 §4.4).
 *
 * Throws a `Failure`: `invalid-sdp` when it is no session description, `too-many-lines`, `too-many-m-lines`,
 * `too-many-candidates`, `invalid-offer` with the reason and the line, and for publishers `unsupported-offer` when it asks
 * for more than one video track, one audio track or one MediaStream.
 */
export function parseOffer(sdp: string, role: Role): Offer {
  if (!sdp.startsWith('v=')) throw new Failure('invalid-sdp', 'webrtc: invalid SDP');
  if (count(sdp, /\nm=/g) > MAX_LINES) throw new Failure('too-many-m-lines', 'too many m-lines');
  if (count(sdp, /\na=candidate:/g) > MAX_CANDIDATES) throw new Failure('too-many-candidates', 'too many candidates');

  const [session, ...sections] = readSections(sdp);
  const groups = bundleGroups(session);
  const lines = sections.map((section, index) => readLine(index, section, session, groups));
  if (lines.length === 0) throw invalid('there is no m-line', session.head);
  checkMids(lines);
  const { fitting, others } = sortByDirection(role, lines);
  if (role === 'publish') checkTracks(fitting);

  const [first] = fitting;
  const bundle = first && groups.get(first.mid);
  // RFC 8829 §5.3.1: with max-bundle, what cannot share the first transport is rejected.
  const joins = (line: OfferLine) => line === first || (bundle !== undefined && groups.get(line.mid) === bundle);
  const joined = fitting.filter(joins);
  for (const line of joined) checkLine(line, session);
  const transports = readTransports(
    lines.filter((line) => line.live && joins(line)),
    session,
    joined,
  );
  const media = joined.map((line) => complete(line, session, transports));
  checkBundle(media, session);
  return {
    role,
    lines,
    media,
    aside: [
      ...others.map((line) => ({ line, cause: 'direction' as const })),
      ...fitting.filter((line) => !joins(line)).map((line) => ({ line, cause: 'outside the BUNDLE group' as const })),
    ],
    ...(bundle && { bundle }),
    transports: [...transports.values()],
    iceOptions: [session, ...sections].flatMap(
      (each) => attributes(each, 'ice-options')[0]?.value?.split(/[ ,]/) ?? [],
    ),
    iceLite: has(session, 'ice-lite'),
  };
}

/**
 * The ICE generation that the session begins with, to tell a trickle from a restart. Lines may have credentials of their
 * own, and which a client sends depends on what it believes to be the tag (RFC 9143 §7.3.1).
 */
export function offerCredentials({ transports }: Offer): { ufrag: string; pwd: string }[] {
  return transports.map(({ ufrag, pwd }) => ({ ufrag, pwd }));
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

/**
 * The BUNDLE group of each mid, of which RFC 9143 §7.1 allows one. Mids without an m-line are harmless (FFmpeg lists one).
 */
function bundleGroups(session: Section): Map<string, readonly string[]> {
  const groups = new Map<string, readonly string[]>();
  for (const { value = '', line } of attributes(session, 'group')) {
    const [semantics, ...mids] = value.split(' ');
    if (semantics !== 'BUNDLE') continue;
    for (const mid of mids) {
      if (groups.has(mid)) throw invalid(`mid ${mid} is in a BUNDLE group already (RFC 9143 §7.1)`, line);
      groups.set(mid, mids);
    }
  }
  return groups;
}

function readLine(
  index: number,
  section: Section,
  session: Section,
  groups: ReadonlyMap<string, readonly string[]>,
): OfferLine {
  const [kind = '', port = '', proto = '', ...formats] = section.head.value.split(' ');
  const [named] = attributes(section, 'mid');
  const mid = (named && isWellFormed(named) && named.value) || '';
  const bundleOnly = groups.has(mid) && Number(port) === 0 && has(section, 'bundle-only');
  return {
    index,
    kind,
    proto,
    formats,
    mid,
    direction: directionOf(section) ?? directionOf(session) ?? 'sendrecv', // RFC 8866 §6.7
    live: Number(port) !== 0 || bundleOnly,
    bundleOnly,
    section,
  };
}

function directionOf(section: Section): Direction | undefined {
  return DIRECTIONS.find((direction) => has(section, direction));
}

/** Those of all lines of a bundle; lines that may be accepted must have one, but for bundle-only ones. */
function readTransports(bundled: OfferLine[], session: Section, media: OfferLine[]): Map<number, OfferTransport> {
  const parts = readParts(session);
  const needed = new Set(media.filter(({ bundleOnly }) => !bundleOnly).map(({ index }) => index));
  return new Map(
    bundled.flatMap(({ section, index }): [number, OfferTransport][] => {
      const transport = readTransport(section, parts, needed.has(index));
      return transport ? [[index, transport]] : [];
    }),
  );
}

/**
 * A bundle-only line without a transport of its own has that of the line it is bundled with (RFC 9143 §7.1.3), also
 * when that one will be rejected: a max-bundle client has no other.
 */
function complete(line: LiveMedia, session: Section, transports: ReadonlyMap<number, OfferTransport>): MediaOffer {
  const [shared] = transports.values();
  const transport = transports.get(line.index) ?? shared;
  if (!transport) throw invalid('no line of the bundle has a transport (RFC 9143 §7.1.3)', line.section.head);
  return { ...line, mid: line.mid || UNNAMED, transport, session };
}

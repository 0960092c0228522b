import { type Candidate, isUsable, readCandidate } from './candidate.ts';
import { attribute, attributes, has, invalid, isWellFormed, type Section } from './syntax.ts';

/** RFC 4145 §4.1; `holdconn` offers nothing to answer. */
export type Setup = 'actpass' | 'active' | 'passive';

/** Who begins ICE checks: the client alone, or each side as soon as it knows an address of the other. */
export type IceChecks = 'client' | 'both';

/** How to reach the client and know it again: ICE (RFC 8839) and DTLS (RFC 8842). */
export interface OfferTransport {
  ufrag: string;
  pwd: string;
  fingerprint: Fingerprint;
  setup: Setup;
  /** RFC 8842 §4: the answer needs one as well. */
  tlsId: boolean;
  /** Where its candidates stand: its own lines and the session's. */
  sections: readonly Section[];
}

/** The one that a session goes over. */
export interface RemoteTransport extends OfferTransport {
  /** Only those the engine can use, without repetition. */
  candidates: Candidate[];
}

export interface Fingerprint {
  type: string;
  hash: string;
}

/** What the lines of a section say of a transport; a session's holds for every m-line that says nothing else. */
export interface TransportParts {
  section: Section;
  ufrag: string | undefined;
  pwd: string | undefined;
  fingerprint: Fingerprint | undefined;
  setup: string | undefined;
  tlsId: boolean;
}

/** RFC 8445 §6.1.2.5: a checklist set has 100 pairs. */
const MAX_CANDIDATES = 100;

/** Hash functions of RFC 8122 §5 that are still trusted or still in use, strongest first, with their octets. */
const HASHES: ReadonlyMap<string, number> = new Map([
  ['sha-512', 64],
  ['sha-384', 48],
  ['sha-256', 32],
  ['sha-224', 28],
  ['sha-1', 20],
]);

/** Throws `invalid-offer` for what is malformed or there twice. */
export function readParts(section: Section): TransportParts {
  return {
    section,
    ufrag: attribute(section, 'ice-ufrag'),
    pwd: attribute(section, 'ice-pwd'),
    fingerprint: readFingerprint(section),
    setup: attribute(section, 'setup'),
    tlsId: has(section, 'tls-id'),
  };
}

/**
 * The transport of one m-line, from its own attributes or the session's (RFC 8839 §5.4, RFC 8842 §5, RFC 8122 §5).
 * Undefined when it is incomplete, which throws `invalid-offer` when it is `required` (RFC 8829 §5.8.3).
 */
export function readTransport(
  section: Section,
  session: TransportParts,
  required: boolean,
): OfferTransport | undefined {
  const own = readParts(section);
  const ufrag = own.ufrag ?? session.ufrag;
  const pwd = own.pwd ?? session.pwd;
  const fingerprint = own.fingerprint ?? session.fingerprint;
  const setup = own.setup ?? session.setup;
  if (ufrag && pwd && fingerprint && isSetup(setup)) {
    return { ufrag, pwd, fingerprint, setup, tlsId: own.tlsId || session.tlsId, sections: [section, session.section] };
  }
  if (!required) return undefined;
  const lacks = { 'ice-ufrag': ufrag, 'ice-pwd': pwd, 'usable fingerprint': fingerprint, setup };
  const [missing] = Object.entries(lacks).find(([, value]) => value === undefined) ?? [];
  const reason = missing ? `the m-line has no ${missing}` : `a=setup:${setup} cannot be answered`;
  throw invalid(`${reason} (RFC 8829 §5.8.3)`, section.head);
}

/** RFC 8840 §4.4: the same address and port twice is one candidate. */
export function withCandidates(transport: OfferTransport): RemoteTransport {
  const found = new Map<string, Candidate>();
  for (const { value = '' } of transport.sections.flatMap((each) => attributes(each, 'candidate'))) {
    const candidate = readCandidate(value);
    const key = `${candidate?.ip} ${candidate?.port}`;
    if (candidate && isUsable(candidate) && !found.has(key)) found.set(key, candidate);
  }
  return { ...transport, candidates: [...found.values()].slice(0, MAX_CANDIDATES) };
}

function isSetup(value: string | undefined): value is Setup {
  return value === 'actpass' || value === 'active' || value === 'passive';
}

/** The strongest fingerprint: RFC 8122 §5 lets the offer list several for one certificate. */
function readFingerprint(section: Section): Fingerprint | undefined {
  const offered = attributes(section, 'fingerprint').map((each) => {
    if (!isWellFormed(each)) throw invalid('a malformed a=fingerprint', each.line);
    const [type = '', hash = ''] = each.value?.toLowerCase().split(' ') ?? [];
    const octets = HASHES.get(type);
    if (octets !== undefined && hash.split(':').length !== octets) {
      throw invalid(`a ${type} fingerprint has ${octets} octets`, each.line);
    }
    return { type, hash: hash.toUpperCase() };
  });
  return [...HASHES.keys()].flatMap((type) => offered.filter((each) => each.type === type)).at(0);
}

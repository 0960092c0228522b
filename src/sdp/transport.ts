import { type Candidate, isUsable, readCandidate } from './candidate.ts';
import { attribute, attributes, headOf, invalid, type Section } from './syntax.ts';

/** RFC 4145 §4.1; `holdconn` offers nothing to answer. */
export type Setup = 'actpass' | 'active' | 'passive';

/** How to reach the client and know it again: ICE (RFC 8839) and DTLS (RFC 8842). */
export interface OfferTransport {
  ufrag: string;
  pwd: string;
  fingerprint: { type: string; hash: string };
  setup: Setup;
  /** Only those the engine can use, without repetition. */
  candidates: Candidate[];
  /** RFC 8842 §4: the answer needs one as well. */
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

/**
 * The transport of one m-line, from its own attributes or the session's (RFC 8839 §5.4, RFC 8842 §5, RFC 8122 §5).
 * Undefined when it is incomplete, which throws `invalid-offer` when it is `required` (RFC 8829 §5.8.3).
 */
export function readTransport(section: Section, session: Section, required: boolean): OfferTransport | undefined {
  const ufrag = attribute(section, 'ice-ufrag') ?? attribute(session, 'ice-ufrag');
  const pwd = attribute(section, 'ice-pwd') ?? attribute(session, 'ice-pwd');
  const fingerprint = readFingerprint(section) ?? readFingerprint(session);
  const setup = attribute(section, 'setup') ?? attribute(session, 'setup');
  if (ufrag && pwd && fingerprint && isSetup(setup)) {
    const tlsId = [section, session].some((each) => attribute(each, 'tls-id') !== undefined);
    return { ufrag, pwd, fingerprint, setup, candidates: readCandidates(section, session), tlsId };
  }
  if (!required) return undefined;
  const lacks = { 'ice-ufrag': ufrag, 'ice-pwd': pwd, 'usable fingerprint': fingerprint, setup };
  const [missing] = Object.entries(lacks).find(([, value]) => value === undefined) ?? [];
  const reason = missing ? `the m-line has no ${missing}` : `a=setup:${setup} cannot be answered`;
  throw invalid(`${reason} (RFC 8829 §5.8.3)`, headOf(section));
}

function isSetup(value: string | undefined): value is Setup {
  return value === 'actpass' || value === 'active' || value === 'passive';
}

/** The strongest fingerprint: RFC 8122 §5 lets the offer list several for one certificate. */
function readFingerprint(section: Section): OfferTransport['fingerprint'] | undefined {
  const offered = attributes(section, 'fingerprint').map(({ value = '', line }) => {
    const [type = '', hash = ''] = value.toLowerCase().split(' ');
    const octets = HASHES.get(type);
    if (octets !== undefined && hash.split(':').length !== octets) {
      throw invalid(`a ${type} fingerprint has ${octets} octets`, line);
    }
    return { type, hash: hash.toUpperCase() };
  });
  return [...HASHES.keys()].flatMap((type) => offered.filter((each) => each.type === type)).at(0);
}

/** RFC 8840 §4.4: the same address and port twice is one candidate. */
function readCandidates(section: Section, session: Section): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const { value = '' } of [section, session].flatMap((each) => attributes(each, 'candidate'))) {
    const candidate = readCandidate(value);
    const key = `${candidate?.ip} ${candidate?.port}`;
    if (candidate && isUsable(candidate) && !found.has(key)) found.set(key, candidate);
  }
  return [...found.values()].slice(0, MAX_CANDIDATES);
}

import { isIPv4 } from 'node:net';
import { type MediaDescription, write } from 'sdp-transform';
import type { Transport } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import { NO_ADDRESS } from './accept.ts';
import type { Candidate } from './candidate.ts';
import { type EngineSide, readEngine } from './engine.ts';
import type { Plan } from './negotiate.ts';
import type { OfferLine } from './offer.ts';
import { has } from './syntax.ts';
import type { Setup } from './transport.ts';

/** FFmpeg reads 8 KiB of an answer; a candidate has about 100 bytes. */
const MAX_CANDIDATES = 32;

/** RFC 8842 §5.3. We are the DTLS server, who chooses the SRTP profile, unless the client insists on being it. */
const ANSWERS: Record<Setup, string> = { actpass: 'passive', active: 'passive', passive: 'active' };

/**
 * Weaves the engine's transport and the plan into the answer (RFC 8829 §5.3.1): every m-line in place, the rejected
 * ones with port 0. `announce` are IP addresses that lead to the engine's port, as by a 1:1 NAT.
 *
 * CRLF, `v=0` first, under 8 KiB but for rejected lines. Throws `engine-failed` when the engine's description lacks
 * something, or does not take the DTLS role that it was given.
 */
export function writeAnswer(plan: Plan, transport: Transport, announce: readonly string[]): string {
  const engine = readEngine(transport);
  const offered = plan.remote.setup;
  if (engine.setup !== ANSWERS[offered]) {
    throw new Failure('engine-failed', `create peer: the engine wants to be ${engine.setup} to an offer of ${offered}`);
  }
  const candidates = inOrder(withAnnounced(engine.candidates, announce)).slice(0, MAX_CANDIDATES);
  return write({
    version: 0,
    origin: { ...engine.origin, netType: 'IN', ipVer: 4, address: '127.0.0.1' },
    name: '-',
    timing: { start: 0, stop: 0 },
    ...(plan.iceOptions.length > 0 && { iceOptions: plan.iceOptions.join(' ') }),
    ...(plan.bundle && { groups: [{ type: 'BUNDLE', mids: plan.bundle.join(' ') }] }),
    media: plan.lines.map(({ line, answer }) => {
      if (!answer) return rejected(line, engine);
      const { mid, ...unnamed } = answer;
      const tag = mid === plan.tag ? tagLines(plan, line, engine, candidates) : {};
      return accepted(line.mid === '' ? unnamed : answer, engine, tag);
    }),
  });
}

/**
 * Host candidates on the engine's port, below its own in priority (RFC 8445 §5.1.2) and of foundations of their own,
 * for each has a base of its own (§5.1.1.3).
 */
export function withAnnounced(own: Candidate[], announce: readonly string[]): Candidate[] {
  const hosts = own.filter(({ type }) => type === 'host');
  const lowest = Math.min(...own.map(({ priority }) => priority));
  const foundations = unused(own.map(({ foundation }) => String(foundation)));
  const announced = announce.flatMap((ip, index) => {
    const base = hosts.find((each) => isIPv4(each.ip) === isIPv4(ip)) ?? hosts[0];
    if (!base || own.some((each) => each.ip === ip)) return [];
    const priority = Math.max(1, lowest - 256 * (index + 1));
    return [{ ...base, foundation: foundations(), priority, ip }];
  });
  return [...announced, ...own];
}

function unused(taken: string[]): () => string {
  let next = 0;
  return () => {
    do next++;
    while (taken.includes(String(next)));
    return String(next);
  };
}

/** UDP over IPv4 from a host first: FFmpeg takes the first candidate and looks no further. */
function inOrder(candidates: Candidate[]): Candidate[] {
  const last = ({ transport, ip, type }: Candidate) =>
    transport.toLowerCase() === 'udp' && type === 'host' && isIPv4(ip) ? 0 : 1;
  return candidates.toSorted((a, b) => last(a) - last(b));
}

/**
 * RFC 9143 §7.1.3 wants the transport in the tagged section alone. GStreamer refuses an answer that lacks credentials
 * or setup in any section, rejected ones included, and Chromium one that lacks rtcp-mux; browsers repeat them too.
 */
function repeated({ ufrag, pwd, setup }: EngineSide) {
  return { iceUfrag: ufrag, icePwd: pwd, setup };
}

function accepted(answer: MediaDescription, engine: EngineSide, tag: Partial<MediaDescription>): MediaDescription {
  return { ...answer, ...repeated(engine), fingerprint: engine.fingerprint, ...tag };
}

/** What stands in the tagged section alone. */
function tagLines(plan: Plan, line: OfferLine, engine: EngineSide, candidates: Candidate[]): Partial<MediaDescription> {
  // RFC 9143 §9.3.1.2 asks for rtcp-mux-only where it was offered. RFC 8842 §5.3 asks for a tls-id likewise, random
  // for each DTLS association: as the ICE credentials are.
  const only = has(line.section, 'rtcp-mux-only') ? ['rtcp-mux-only'] : [];
  const tlsId = plan.remote.tlsId ? [`tls-id:${engine.ufrag}${engine.pwd}`] : [];
  return {
    candidates,
    endOfCandidates: 'end-of-candidates', // RFC 8840 §8.2: there is nothing to add later
    invalid: [...only, ...tlsId].map((value) => ({ value })),
  };
}

/** RFC 3264 §6: in place, port 0, one format of no consequence; no codecs (draft-ietf-wish-whep §4.3.4). */
function rejected({ kind, proto, formats, mid, section }: OfferLine, engine: EngineSide): MediaDescription {
  const rtp = proto.includes('RTP/');
  return {
    type: kind,
    port: 0,
    protocol: proto,
    payloads: rtp ? '0' : (formats[0] ?? '0'),
    connection: NO_ADDRESS,
    ...(mid !== '' && { mid }),
    ...(rtp && { direction: 'inactive' }),
    // Some clients look for it in every section.
    ...(rtp && has(section, 'rtcp-mux') && { rtcpMux: 'rtcp-mux' }),
    ...repeated(engine),
    rtp: [],
    fmtp: [],
  };
}

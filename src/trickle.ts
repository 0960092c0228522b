import { Failure } from './errors.ts';
import { parseFragment } from './sdp/fragment.ts';
import { entityTag, type Session } from './sessions.ts';

/** RFC 8445 §6.1.2.5: more candidates of one client are ignored. */
const MAX_CANDIDATES = 100;

/**
 * Reads an ICE fragment (RFC 8840 §9) and hands on what is new in it. `precondition` is given the session's entity tag
 * once the fragment has been read, and throws when it does not hold.
 *
 * Throws `invalid-fragment` or `ice-restart-unsupported`; the session lives on. Candidates that cannot be used are
 * passed over in silence (draft-ietf-wish-whep-04 §4.5.2).
 */
export function applyFragment(
  session: Session,
  body: string,
  precondition: (tag: string) => void,
  addCandidate: (mid: string, candidate: string) => void,
): void {
  const { ufrag, pwd, candidates } = parseFragment(body);
  precondition(entityTag(session));
  requireSameGeneration(session, ufrag, pwd);
  for (const { mid, candidate } of candidates) {
    if (session.candidates.size >= MAX_CANDIDATES) return;
    // RFC 8839 §5.1: foundation, component, transport, priority, address, port.
    const address = candidate.split(' ').slice(4, 6).join(' ');
    if (session.candidates.has(address)) continue;
    session.candidates.add(address);
    addCandidate(mid ?? session.mid, candidate);
  }
}

/** RFC 8839 §4.4.1.1.1: a restart changes both credentials. */
function requireSameGeneration({ remote }: Session, ufrag: string | undefined, pwd: string | undefined): void {
  const lines = remote.map((own) => ({
    sameUfrag: ufrag === undefined || ufrag === own.ufrag,
    samePwd: pwd === undefined || pwd === own.pwd,
  }));
  if (lines.some(({ sameUfrag, samePwd }) => sameUfrag && samePwd)) return;
  if (lines.some(({ sameUfrag, samePwd }) => sameUfrag || samePwd)) {
    throw new Failure('invalid-fragment', 'webrtc: only one of ice-ufrag and ice-pwd changed');
  }
  throw new Failure('ice-restart-unsupported', 'webrtc: ICE restart is not supported');
}

import type { MediaEngine } from './engine/port.ts';
import { Failure } from './errors.ts';
import { type Fragment, parseFragment } from './sdp/fragment.ts';
import { entityTag, type Session } from './sessions.ts';

/** RFC 8445 §6.1.2.5: more candidates of one client are ignored. */
const MAX_CANDIDATES = 100;

/** A client need not wait longer for a port that is busy: its candidates are used when it is free. Milliseconds. */
const PATIENCE = 1000;

/**
 * Reads an ICE fragment (RFC 8840 §9) and hands on what is new in it; resolves when the engine has it, or is busy for
 * long. Without an engine it ends there: where clients begin all checks, their candidates are of no use. `precondition` is given the session's entity tag once the fragment has been read, and throws when it does not hold.
 *
 * Rejects with `invalid-fragment` or `ice-restart-unsupported`; the session lives on. Candidates that cannot be used are
 * passed over in silence (draft-ietf-wish-whep-04 §4.5.2).
 */
export async function trickle(
  engine: Pick<MediaEngine, 'addCandidate'> | undefined,
  session: Session,
  body: string,
  precondition: (tag: string) => void,
): Promise<void> {
  const { ufrag, pwd, candidates } = parseFragment(body);
  precondition(entityTag(session));
  requireSameGeneration(session, ufrag, pwd);
  const fresh = newOnes(session, candidates);
  if (engine === undefined) return;
  const given = fresh.map(({ mid, candidate }) => engine.addCandidate(session.id, mid ?? session.mid, candidate));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE).unref();
  });
  await Promise.race([Promise.all(given), late]);
  clearTimeout(timer);
}

/** Those that the session has not had yet; it remembers them. */
function newOnes({ candidates: known }: Session, candidates: Fragment['candidates']): Fragment['candidates'] {
  return candidates.filter(({ candidate }) => {
    // RFC 8839 §5.1: foundation, component, transport, priority, address, port.
    const address = candidate.split(' ').slice(4, 6).join(' ');
    if (known.size >= MAX_CANDIDATES || known.has(address)) return false;
    known.add(address);
    return true;
  });
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

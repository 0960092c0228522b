import { parse } from 'sdp-transform';
import type { Transport } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import type { Candidate } from './candidate.ts';

/** What of an engine's local description goes into an answer or an offer. */
export interface EngineSide {
  origin: { username: string; sessionId: number | string; sessionVersion: number };
  ufrag: string;
  pwd: string;
  fingerprint: { type: string; hash: string };
  setup: string;
  candidates: Candidate[];
}

/** Throws `engine-failed` when the description lacks something. */
export function readEngine(transport: Transport): EngineSide {
  const description = parse(transport.description);
  const sections = [...description.media, description];
  const ufrag = sections.find((each) => each.iceUfrag !== undefined)?.iceUfrag;
  const pwd = sections.find((each) => each.icePwd !== undefined)?.icePwd;
  const fingerprint = sections.find((each) => each.fingerprint)?.fingerprint;
  const setup = sections.find((each) => each.setup)?.setup;
  if (!description.origin || ufrag === undefined || pwd === undefined || !fingerprint || !setup) {
    throw new Failure('engine-failed', 'create peer: the engine gave no complete transport');
  }
  return {
    origin: { username: '-', sessionId: description.origin.sessionId, sessionVersion: 1 },
    // sdp-transform makes numbers of digits.
    ufrag: String(ufrag),
    pwd: String(pwd),
    fingerprint,
    setup,
    candidates: description.media.flatMap((each) => each.candidates ?? []),
  };
}

import { Failure } from '../errors.ts';
import { isUsable, readCandidate } from './candidate.ts';

/** What a PATCH brings (RFC 8840 §9): candidates of one ICE generation, or the credentials of a new one. */
export interface Fragment {
  ufrag?: string;
  pwd?: string;
  /** Usable ones, `candidate:...` without the `a=`, in order; each address and port once per mid. */
  candidates: { mid: string | undefined; candidate: string }[];
  endOfCandidates: boolean;
}

/**
 * Reads an `application/trickle-ice-sdpfrag` body. Credentials may stand at either level; the first of each counts.
 * Candidates before any m-line are taken as well. What is no use as a candidate is left out in silence: TCP, names
 * instead of addresses, other components, what is malformed (draft-ietf-wish-whep §4.5.2). Throws `invalid-fragment`
 * with the line.
 */
export function parseFragment(body: string): Fragment {
  const fragment: Fragment = { candidates: [], endOfCandidates: false };
  const seen = new Set<string>();
  for (const section of readSections(body)) {
    const mid = section.find(({ name }) => name === 'mid')?.value;
    for (const line of section) readLine(line, mid, fragment, seen);
  }
  return fragment;
}

interface Line {
  text: string;
  /** Lower case (RFC 8840 §9.2): the attribute's name, or `m`. */
  name: string;
  value: string;
}

/** RFC 8840 §9.2: attributes, then pseudo m-lines of which only the form counts (§4.4), each with attributes. */
const LINE = /^(?:(m)=(\S+ \d{1,5} \S+ \S.*)|a=([^:]+)(?::(.*))?)$/s;
/** RFC 8839 §5.4. */
const FORMS: ReadonlyMap<string, RegExp> = new Map([
  ['ice-ufrag', /^[A-Za-z0-9+/]{4,256}$/],
  ['ice-pwd', /^[A-Za-z0-9+/]{22,256}$/],
  ['mid', /^\S{1,64}$/],
]);

/** The session's lines, then those of each pseudo m-line. */
function readSections(body: string): Line[][] {
  const texts = body.split('\n').map((text) => text.trimEnd());
  while (texts.at(-1) === '') texts.pop();
  if (texts.length === 0) throw new Failure('invalid-fragment', 'the SDP fragment is empty (RFC 8840 §9)');
  const sections: Line[][] = [[]];
  texts.forEach((text, index) => {
    const [, m, , name = m, value = ''] = LINE.exec(text) ?? [];
    if (name === undefined || /[\0\r]/.test(text)) throw malformed(text, index);
    const line = { text, name: name.toLowerCase(), value };
    if (FORMS.get(line.name)?.test(value) === false) throw malformed(text, index);
    if (m) sections.push([]);
    sections.at(-1)?.push(line);
  });
  return sections;
}

function readLine({ name, value }: Line, mid: string | undefined, fragment: Fragment, seen: Set<string>): void {
  if (name === 'ice-ufrag') fragment.ufrag ??= value;
  if (name === 'ice-pwd') fragment.pwd ??= value;
  if (name === 'end-of-candidates') fragment.endOfCandidates = true;
  const candidate = name === 'candidate' ? readCandidate(value) : undefined;
  if (!candidate || !isUsable(candidate)) return;
  const key = `${mid} ${candidate.ip} ${candidate.port}`;
  if (!seen.has(key)) fragment.candidates.push({ mid, candidate: `candidate:${value}` });
  seen.add(key);
}

function malformed(text: string, index: number): Failure {
  const shown = JSON.stringify(text.replace(/^(a=ice-pwd:).*/is, '$1...').slice(0, 100));
  return new Failure('invalid-fragment', `malformed SDP fragment (RFC 8840 §9.2); line ${index + 1}: ${shown}`);
}

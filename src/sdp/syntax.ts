import { Failure } from '../errors.ts';

/** One line of a session description, numbered from 1; `value` is what follows the equals sign, without blanks at its end. */
export interface Line {
  number: number;
  text: string;
  type: string;
  value: string;
}

/** An `a=` line; a property attribute (RFC 8866 §5.13) has no value. */
export interface Attribute {
  name: string;
  value: string | undefined;
  line: Line;
}

/** The session-level lines, or one m-line and what belongs to it. */
export interface Section {
  /** Its first line: the m-line, or `v=`. */
  head: Line;
  /**
   * Attributes by name, in order. Those of one format are found by its number as well, as in `fmtp:96`: a look-up costs the
   * same however long the offer is.
   */
  attributes: ReadonlyMap<string, readonly Attribute[]>;
}

/** An offer with more is refused, whatever is in it. */
const MAX_LINES = 1000;

/**
 * Cuts a session description into the session section and one per m-line. Only what makes it a description at all is
 * checked here (RFC 8866 §5): a line that nobody uses may be as odd as it likes, and lines may stand in any order, as
 * there are clients that write `c=` and `b=` behind attributes. Throws `too-many-lines`, or `invalid-offer` with the line.
 */
export function readSections(sdp: string): [Section, ...Section[]] {
  const [session, ...media] = linesOfSections(sdp);
  for (const type of 'vost') {
    if (!session.some((line) => line.type === type)) {
      throw invalid(`there is no ${type}= line (RFC 8866 §5)`, session[0] ?? media[0]?.[0]);
    }
  }
  return [sectionOf(session), ...media.map(sectionOf)];
}

/** The lines of the session section, which may be none here, and those of each m-line. Throws as `readSections` does. */
export function linesOfSections(sdp: string): [Line[], ...Line[][]] {
  const lines = readLines(sdp);
  const starts = lines.flatMap(({ type }, index) => (type === 'm' ? [index] : []));
  return [lines.slice(0, starts[0]), ...starts.map((start, at) => lines.slice(start, starts[at + 1]))];
}

/**
 * The value of an attribute that counts; the empty string for a property attribute. Throws `invalid-offer` when it is
 * malformed, or there twice.
 */
export function attribute(section: Section, name: string): string | undefined {
  const [first, second] = attributes(section, name);
  if (first === undefined) return undefined;
  if (!isWellFormed(first)) throw invalid(`a malformed a=${first.name}`, first.line);
  if (second) throw invalid(`a second a=${name}`, second.line);
  return first.value ?? '';
}

export function attributes(section: Section, name: string): readonly Attribute[] {
  return section.attributes.get(name) ?? NONE;
}

export function has(section: Section, name: string): boolean {
  return section.attributes.has(name);
}

export function isWellFormed({ name, value = '' }: Attribute): boolean {
  return FORMS.get(name)?.test(value) ?? true;
}

/** What every `invalid-offer` begins with. */
export const INVALID = 'webrtc: invalid offer: ';

/** What is wrong, and the line, with secrets left out and cut to a length fit for an answer and a log. */
export function invalid(reason: string, line: Pick<Line, 'number' | 'text'> = NOWHERE): Failure {
  const text = line.text.replace(/^(a=ice-pwd:|a=crypto:|k=).*/s, '$1...').slice(0, 100);
  return new Failure('invalid-offer', `${INVALID}${reason}; line ${line.number}: ${JSON.stringify(text)}`);
}

export const DIRECTIONS = ['sendrecv', 'sendonly', 'recvonly', 'inactive'] as const;
export type Direction = (typeof DIRECTIONS)[number];

const NONE: readonly Attribute[] = [];
const NOWHERE = { number: 0, text: '' };

/** RFC 8866 §9 `token-char`. */
const TOKEN = "[!#-'*+.\\-0-9A-Z^-~]";
/** RFC 8839 §5.1 `ice-char`. */
const ICE = '[A-Za-z0-9+/]';

/** RFC 8866 §5.1-5.14. The lengths are limits of this server: the answer repeats these words. */
const LINES: ReadonlyMap<string, RegExp> = new Map([
  ['v', /^0$/],
  ['o', /^\S+ \d+ \d+ \S+ \S+ \S+$/],
  ['t', /^\d+ \d+$/],
  ['m', new RegExp(`^${TOKEN}{1,32} \\d{1,5} (?=\\S{1,64} )${TOKEN}+(/${TOKEN}+)*( ${TOKEN}{1,64})+$`)],
]);

/** RFC 8866 §5.13. */
const ATTRIBUTE = new RegExp(`^(${TOKEN}+)(?::(.*))?$`, 's');

/** The attributes whose value this server acts on, where they stand in a line that it uses. */
const FORMS: ReadonlyMap<string, RegExp> = new Map([
  ['rtpmap', new RegExp(`^\\d{1,3} ${TOKEN}+/[1-9]\\d{0,8}(/[1-9]\\d{0,2})?$`)], // RFC 8866 §6.6
  ['setup', /^(active|passive|actpass|holdconn)$/], // RFC 4145 §4
  ['mid', new RegExp(`^${TOKEN}{1,64}$`)], // RFC 5888 §4
  ['ice-ufrag', new RegExp(`^${ICE}{4,256}$`)], // RFC 8839 §5.4
  ['ice-pwd', new RegExp(`^${ICE}{22,256}$`)], // RFC 8839 §5.4
  ['fingerprint', new RegExp(`^${TOKEN}+ [0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*$`)], // RFC 8122 §5
]);

/** Attributes that begin with the format they are about. */
const OF_FORMATS = new Set(['rtpmap', 'fmtp', 'rtcp-fb']);

/** CRLF or LF (RFC 8866 §5); empty lines may end the text, nothing else may be empty. */
function readLines(sdp: string): Line[] {
  const texts = sdp.split('\n').map((text) => (text.endsWith('\r') ? text.slice(0, -1) : text));
  while (texts.at(-1) === '') texts.pop();
  if (texts.length > MAX_LINES) throw new Failure('too-many-lines', 'too many lines');
  return texts.map((text, index) => {
    const line = { number: index + 1, text, type: text.slice(0, 1), value: text.slice(2).trimEnd() };
    // RFC 8866 §5 names the types, and §9 keeps the two characters out.
    if (!/^[vosiuepcbtrzkam]=[^\0\r]*$/.test(text)) {
      throw invalid('not a line of the form x=value (RFC 8866 §5)', line);
    }
    if (LINES.get(line.type)?.test(line.value) === false) {
      throw invalid(`a malformed ${line.type}= line (RFC 8866 §5)`, line);
    }
    return line;
  });
}

export function sectionOf(lines: Line[]): Section {
  const index = new Map<string, Attribute[]>();
  for (const line of lines) {
    if (line.type !== 'a') continue;
    const [, name, value] = ATTRIBUTE.exec(line.value) ?? [];
    if (name === undefined) continue;
    const keys = OF_FORMATS.has(name) ? [name, `${name}:${value?.split(' ', 1)[0]}`] : [name];
    for (const key of keys) {
      const known = index.get(key);
      if (known) known.push({ name, value, line });
      else index.set(key, [{ name, value, line }]);
    }
  }
  const [head = { ...NOWHERE, type: '', value: '' }] = lines;
  return { head, attributes: index };
}

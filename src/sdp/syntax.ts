import { Failure } from '../errors.ts';

/** One line of a session description, numbered from 1; `value` is what follows the equals sign. */
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
  /** Never empty. */
  lines: Line[];
  attributes: Attribute[];
}

/**
 * Cuts a session description into the session section and one per m-line, and checks the form of each line:
 * RFC 8829 §5.8 rejects the whole description for one bad line, even one whose value nobody would use, but unknown
 * attributes pass (RFC 8866 §5.13). Throws `invalid-offer` with the line.
 */
export function readSections(sdp: string): [Section, ...Section[]] {
  const session: Section = { lines: [], attributes: [] };
  const sections: [Section, ...Section[]] = [session];
  let section = session;
  for (const line of readLines(sdp)) {
    if (line.type === 'm') {
      section = { lines: [], attributes: [] };
      sections.push(section);
    }
    checkOrder(line, section.lines, section === session ? SESSION : MEDIA);
    section.lines.push(line);
    checkForm(line);
    if (line.type === 'a') section.attributes.push(readAttribute(line));
  }
  for (const type of 'vost') {
    if (!session.lines.some((line) => line.type === type)) {
      throw invalid(`there is no ${type}= line (RFC 8866 §5)`, headOf(session));
    }
  }
  for (const each of sections) checkRepetition(each);
  return sections;
}

/** The value of the first attribute of that name; the empty string for a property attribute. */
export function attribute(section: Section, name: string): string | undefined {
  const found = section.attributes.find((each) => each.name === name);
  return found && (found.value ?? '');
}

export function attributes(section: Section, name: string): Attribute[] {
  return section.attributes.filter((each) => each.name === name);
}

/** The m-line of a section, or the first line of the session. */
export function headOf({ lines: [first = { number: 0, text: '', type: '', value: '' }] }: Section): Line {
  return first;
}

/** What every `invalid-offer` begins with. */
export const INVALID = 'webrtc: invalid offer: ';

/** What is wrong, and the line, with secrets left out and cut to a length fit for an answer and a log. */
export function invalid(reason: string, line: Line): Failure {
  const text = line.text.replace(/^(a=ice-pwd:|a=crypto:|k=).*/s, '$1...').slice(0, 100);
  return new Failure('invalid-offer', `${INVALID}${reason}; line ${line.number}: ${JSON.stringify(text)}`);
}

/** RFC 8866 §9 `token-char`. */
const TOKEN = "[!#-'*+.\\-0-9A-Z^-~]";
/** RFC 8839 §5.1 `ice-char`. */
const ICE = '[A-Za-z0-9+/]';
/** RFC 3551 §6: seven bits. */
const PAYLOAD = '(?:\\d|[1-9]\\d|1[01]\\d|12[0-7])';

/** RFC 8866 §5: the order of line types, and which may stand only once. Equal ranks may mix. */
interface Order {
  rank: ReadonlyMap<string, number>;
  once: string;
}
const SESSION: Order = { rank: ranks(['v', 'o', 's', 'i', 'u', 'e', 'p', 'c', 'b', 'trz', 'k', 'a']), once: 'vosiuck' };
const MEDIA: Order = { rank: ranks(['m', 'i', 'c', 'b', 'k', 'a']), once: 'ik' };

/** RFC 8866 §5.1-5.14. The lengths are limits of this server: the answer repeats these words. */
const FORMS: ReadonlyMap<string, RegExp> = new Map([
  ['v', /^0$/],
  ['o', /^\S+ \d+ \d+ \S+ \S+ \S+$/],
  ['c', /^IN IP[46] \S+$/],
  ['b', new RegExp(`^${TOKEN}+:\\d+$`)],
  ['t', /^\d+ \d+$/],
  ['m', new RegExp(`^${TOKEN}{1,32} \\d{1,5} (?=\\S{1,64} )${TOKEN}+(/${TOKEN}+)*( ${TOKEN}{1,64})+$`)],
]);

/** RFC 8866 §5.13. */
const ATTRIBUTE = new RegExp(`^(${TOKEN}+)(?::(.*))?$`, 's');

/** The attributes this server acts on; `undefined` means a property attribute, which takes no value. */
const ATTRIBUTES: ReadonlyMap<string, RegExp | undefined> = new Map([
  ['rtpmap', new RegExp(`^${PAYLOAD} ${TOKEN}+/[1-9]\\d{0,8}(/[1-9]\\d{0,2})?$`)], // RFC 8866 §6.6
  ['fmtp', new RegExp(`^${TOKEN}+ .+$`, 's')], // RFC 8866 §6.15
  ['rtcp-fb', new RegExp(`^(\\*|${PAYLOAD}) ${TOKEN}+( .*)?$`, 's')], // RFC 4585 §4.2; Pion ends it in a space
  ['extmap', /^(0|[1-9]\d{0,4})(\/(sendonly|recvonly|sendrecv|inactive))? \S+( .+)?$/s], // RFC 8285 §8
  ['setup', /^(active|passive|actpass|holdconn)$/], // RFC 4145 §4
  ['mid', new RegExp(`^${TOKEN}{1,64}$`)], // RFC 5888 §4
  ['group', new RegExp(`^${TOKEN}+( ${TOKEN}+)*$`)], // RFC 5888 §5
  ['msid', /^\S+( \S+)?$/], // RFC 8830 §2
  ['ssrc', /^\d{1,10} \S.*$/s], // RFC 5576 §4.1
  ['ssrc-group', new RegExp(`^${TOKEN}+( \\d{1,10})*$`)], // RFC 5576 §4.2
  ['ice-ufrag', new RegExp(`^${ICE}{4,256}$`)], // RFC 8839 §5.4
  ['ice-pwd', new RegExp(`^${ICE}{22,256}$`)], // RFC 8839 §5.4
  ['ice-options', /^[^\s,]+([ ,][^\s,]+)*$/], // RFC 8839 §5.6; libdatachannel, and so OBS, writes commas
  ['fingerprint', new RegExp(`^${TOKEN}+ [0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*$`)], // RFC 8122 §5
  ['tls-id', /^[A-Za-z0-9+/_-]{20,255}$/], // RFC 8842 §4
  ['rtcp', /^\d{1,5}( \S+ \S+ \S+)?$/], // RFC 3605 §2.1
  ['ptime', /^\d+(\.\d+)?$/], // RFC 8866 §6.4
  ['maxptime', /^\d+(\.\d+)?$/], // RFC 8866 §6.5
  ['sctp-port', /^\d{1,5}$/], // RFC 8841 §5.1
  ['max-message-size', /^\d+$/], // RFC 8841 §6.1
  ['sendrecv', undefined],
  ['sendonly', undefined],
  ['recvonly', undefined],
  ['inactive', undefined],
  ['rtcp-mux', undefined],
  ['rtcp-mux-only', undefined],
  ['rtcp-rsize', undefined],
  ['bundle-only', undefined],
  ['ice-lite', undefined],
  ['end-of-candidates', undefined],
]);

/** Attributes of which a section has at most one; the four directions are one. */
const ONCE = new Set(['mid', 'ice-ufrag', 'ice-pwd', 'setup', 'tls-id', 'ptime', 'maxptime', 'direction']);
export const DIRECTIONS = ['sendrecv', 'sendonly', 'recvonly', 'inactive'] as const;
export type Direction = (typeof DIRECTIONS)[number];

function ranks(types: string[]): Map<string, number> {
  return new Map(types.flatMap((equal, rank) => [...equal].map((type): [string, number] => [type, rank])));
}

/** CRLF or LF (RFC 8866 §5); empty lines may end the text, nothing else may be empty. */
function readLines(sdp: string): Line[] {
  const texts = sdp.split('\n').map((text) => (text.endsWith('\r') ? text.slice(0, -1) : text));
  while (texts.at(-1) === '') texts.pop();
  return texts.map((text, index) => {
    const line = { number: index + 1, text, type: text.slice(0, 1), value: text.slice(2) };
    // RFC 8866 §9: a `byte-string` has neither of the two.
    if (!/^[a-z]=/.test(text) || line.value.includes('\0') || line.value.includes('\r')) {
      throw invalid('not a line of the form x=value (RFC 8866 §5)', line);
    }
    return line;
  });
}

function checkOrder(line: Line, before: Line[], order: Order): void {
  const rank = order.rank.get(line.type);
  if (rank === undefined) throw invalid(`no ${line.type}= line may stand here (RFC 8866 §5)`, line);
  const last = before.at(-1);
  if (last && rank < (order.rank.get(last.type) ?? 0)) {
    throw invalid(`${line.type}= may not follow ${last.type}= (RFC 8829 §5.8.1)`, line);
  }
  if (order.once.includes(line.type) && before.some((each) => each.type === line.type)) {
    throw invalid(`a second ${line.type}= line (RFC 8866 §5)`, line);
  }
}

function checkForm(line: Line): void {
  if (!(FORMS.get(line.type) ?? /./s).test(line.value)) {
    throw invalid(`a malformed ${line.type}= line (RFC 8866 §5)`, line);
  }
}

function readAttribute(line: Line): Attribute {
  const [, name, value] = ATTRIBUTE.exec(line.value) ?? [];
  if (name === undefined) throw invalid('an attribute without a name (RFC 8866 §5.13)', line);
  const form = ATTRIBUTES.get(name);
  const wellFormed = form ? value !== undefined && form.test(value) : value === undefined || !ATTRIBUTES.has(name);
  if (!wellFormed) throw invalid(`a malformed a=${name}`, line);
  return { name, value, line };
}

/** What names one thing may do so once: see `ONCE`, and per payload type or id `rtpmap`, `fmtp` and `extmap`. */
function checkRepetition(section: Section): void {
  const seen = new Set<string>();
  for (const { name, value, line } of section.attributes) {
    const direction = DIRECTIONS.some((each) => each === name);
    const numbered = ['rtpmap', 'fmtp', 'extmap'].includes(name);
    const key = direction ? 'direction' : numbered ? `${name}:${/^[^ /]+/.exec(value ?? '')?.[0]}` : name;
    if (seen.has(key) && (numbered || ONCE.has(key))) throw invalid(`a second a=${key}`, line);
    seen.add(key);
  }
}

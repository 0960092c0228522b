import type { StreamFacts } from '../../src/engine/port.ts';
import { checkExtras, checkFormats, checkSenders, type Rule } from './answer-codecs.ts';
import { checkAudio, checkVideo } from './answer-media.ts';
import { all, type Description, groups, type Pair, pairs, read, type Section, value } from './sdp-text.ts';

/**
 * Judges an answer by its offer, line by line and on its own: nothing here comes from the code under test.
 *
 * Returns one entry per broken rule, its name first: S2-S23 and C1-C10 are the rows of the table below, FORM and SIZE
 * the text as such, FIT what the stream carries. `role` tells a viewer's exchange (WHEP) from a publisher's (WHIP).
 *
 * | rule | from |
 * | --- | --- |
 * | S2 | direction: draft-ietf-wish-whep §4.3.6, RFC 9725 §4.2 |
 * | S3 | m-lines in number, order, kind, proto and mid: RFC 8829 §5.3.1 |
 * | S5 | ICE and DTLS attributes are there and well-formed: RFC 8839 §5.4, RFC 8122 §5 |
 * | S7, S8 | BUNDLE group and its tag: RFC 9143 §7.3 |
 * | S9 | one transport: RFC 8829 §5.3.1 |
 * | S10 | rtcp-mux: RFC 9143 §9.3 |
 * | S11 | DTLS role: RFC 8842 §5.3 |
 * | S12, S13, S15 | ice-lite, ice-options, tls-id: RFC 8829 §5.3.1, RFC 8842 §5.3 |
 * | S14 | every candidate, then end-of-candidates: RFC 8840 §8.2 |
 * | S16 | one MediaStream, one track of a kind, SSRCs: RFC 8830 §2, RFC 5576 §4 |
 * | S17 | formats: RFC 8829 §5.3.1 |
 * | S18, S19 | H264 and the codecs of sound: RFC 6184 §8.2.2, RFC 7587 §7.1, RFC 3551 §6 |
 * | S20, S21 | feedback, header extensions: RFC 4585 §4.2, RFC 8285 §6 |
 * | S22, S23 | other video: parameters as offered, and those that fit the stream: see answer-media.ts |
 * | C1-C3, C7, C10 | rtcp-mux-only, bundle-only, rtcp, rejected lines, msid: RFC 9143 §7.3, §9.3.1.2 |
 */
export function checkAnswer(
  offer: string,
  answer: string,
  stream: StreamFacts,
  role: 'watch' | 'publish' = 'watch',
): string[] {
  const broken: string[] = [];
  const rule: Rule = (name, holds, text) => {
    if (!holds) broken.push(`${name}: ${text}`);
  };
  const offered = read(offer);
  const answered = read(answer);
  checkText(answer, rule);
  checkLines(offered, answered, rule);
  if (broken.length > 0) return broken;

  const accepted = pairs(offered, answered).filter(({ a }) => a.port !== 0);
  checkSession(offered, answered, accepted, role, rule);
  checkTransport(offered, answered, accepted, rule);
  for (const pair of accepted) {
    rule('S2', value(pair.a, role === 'watch' ? 'sendonly' : 'recvonly') !== undefined, `${pair.a.head} direction`);
    checkFormats(pair, rule);
    checkExtras(pair, role, rule);
    if (pair.a.kind === 'video') checkVideo(pair, stream, role, rule);
    if (pair.a.kind === 'audio') checkAudio(pair, stream, role, rule);
  }
  for (const { a } of pairs(offered, answered).filter((pair) => pair.a.port === 0)) {
    const codecs = ['rtpmap', 'fmtp', 'rtcp-fb', 'extmap', 'candidate', 'ssrc'].filter(
      (name) => all(a, name).length > 0,
    );
    rule('C7', codecs.length === 0 && a.formats.length === 1, `${a.head} is rejected and has ${codecs}`);
  }
  if (role === 'watch') checkSenders(accepted, stream, rule);
  return broken;
}

function checkText(answer: string, rule: Rule): void {
  const lines = answer.split('\r\n');
  rule('FORM', lines[0] === 'v=0' && lines.at(-1) === '', 'begins with v=0 and ends with CRLF');
  rule('FORM', !/[\r\n]/.test(lines.join('')), 'CRLF only');
  rule(
    'FORM',
    lines.slice(0, -1).every((line) => /^[a-z]=./.test(line)),
    'every line is x=value',
  );
  const types = lines.map((line) => line[0] ?? '').join('');
  rule('FORM', /^vostb?a*(mi?c*b*a*)+$/.test(types), `the order of lines: ${types}`);
  const counted = answer.split(/(?<=\n)(?=m=)/).filter((part) => !/^m=\S+ 0 /.test(part));
  rule('SIZE', counted.join('').length < 8192, 'under 8 KiB without rejected lines');
}

function checkLines(offered: Description, answered: Description, rule: Rule): void {
  rule('S3', offered.sections.length === answered.sections.length, 'as many m-lines as offered');
  for (const { o, a } of pairs(offered, answered)) {
    const mid = value(o, 'mid') ?? '';
    const named = a.port === 0 && !/^[\w!#$%&'*+.^`{|}~-]{1,64}$/.test(mid) ? undefined : value(o, 'mid');
    const same = o.kind === a.kind && o.proto === a.proto && named === value(a, 'mid');
    rule('S3', same, `${a.head} for ${o.head}: kind, proto, mid`);
    rule(
      'S3',
      a.port === 0 || a.port === 9 || all(a, 'candidate').some((each) => each.includes(` ${a.port} `)),
      a.head,
    );
    rule('C2', value(a, 'bundle-only') === undefined, `${a.head} has bundle-only`);
    rule('C3', value(a, 'rtcp') === undefined, `${a.head} has rtcp`);
  }
}

function checkSession(
  offered: Description,
  answered: Description,
  accepted: Pair[],
  role: 'watch' | 'publish',
  rule: Rule,
): void {
  rule('FIT', accepted.length > 0, 'at least one line is accepted');
  const isLive = (each: Section) =>
    each.port !== 0 ||
    (value(each, 'bundle-only') !== undefined &&
      groups(offered).some((group) => group.includes(value(each, 'mid') ?? '')));
  const way = role === 'watch' ? 'recvonly' : 'sendonly';
  const first = offered.sections.find(
    (each) =>
      isLive(each) && ['audio', 'video'].includes(each.kind) && [way, 'sendrecv'].includes(direction(each, offered)),
  );
  const group = groups(offered).find((mids) => mids.includes(value(first ?? offered, 'mid') ?? ''));
  for (const { o, a } of accepted) {
    rule('S7', isLive(o), `${a.head} was not offered`);
    rule('S2', [way, 'sendrecv'].includes(direction(o, offered)), `${a.head}: offered ${direction(o, offered)}`);
    rule('S7', o === first || group?.includes(value(o, 'mid') ?? '') === true, `${a.head} is outside the first group`);
  }
  const mids = accepted.map(({ a }) => value(a, 'mid') ?? '');
  const [answer, ...more] = groups(answered);
  rule('S8', (answer !== undefined) === (group !== undefined) && more.length === 0, 'BUNDLE as offered');
  if (!answer || !group) return;
  rule('S7', [...answer].sort().join() === [...mids].sort().join(), `BUNDLE ${answer} is what is accepted: ${mids}`);
  const withPort = group.filter((mid) => accepted.some(({ o }) => value(o, 'mid') === mid && o.port !== 0));
  rule('S8', answer[0] === (withPort[0] ?? group.find((mid) => mids.includes(mid))), `the tag is ${answer[0]}`);
}

/** RFC 8866 §6.7. */
function direction(section: Section, session: Section): string {
  const names = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];
  const own = [section, session].map((each) => names.find((name) => value(each, name) !== undefined));
  return own[0] ?? own[1] ?? 'sendrecv';
}

function checkTransport(offered: Description, answered: Description, accepted: Pair[], rule: Rule): void {
  const own = (from: Section, name: string, top: Section) => value(from, name) ?? value(top, name);
  const tagMid = groups(answered)[0]?.[0] ?? value(accepted[0]?.a ?? answered, 'mid');
  for (const name of ['ice-ufrag', 'ice-pwd', 'fingerprint', 'setup']) {
    const values = accepted.map(({ a }) => own(a, name, answered)).filter((each) => each !== undefined);
    rule('S9', new Set(values).size === 1, `one ${name} for all`);
    const tagged = accepted.find(({ a }) => value(a, 'mid') === tagMid)?.a;
    rule('S5', tagged !== undefined && own(tagged, name, answered) !== undefined, `${name} in the tagged line`);
  }
  const any = accepted.map(({ a }) => a).concat(answered);
  const text = (name: string) => any.map((each) => value(each, name)).find((each) => each !== undefined) ?? '';
  rule('S5', /^[\w+/]{4,256}$/.test(text('ice-ufrag')) && /^[\w+/]{22,256}$/.test(text('ice-pwd')), 'credentials');
  rule('S5', /^sha-(256|384|512) [0-9A-F]{2}(:[0-9A-F]{2}){31,}$/.test(text('fingerprint')), 'fingerprint');

  // A bundle-only line may have none of its own; whatever is offered is offered for the whole bundle then.
  const setups = [...accepted.map(({ o }) => o), ...offered.sections, offered].map((each) => value(each, 'setup'));
  const offeredSetup = setups.find((each) => each !== undefined) ?? '';
  const legal: Record<string, string[]> = { actpass: ['active', 'passive'], active: ['passive'], passive: ['active'] };
  rule('S11', legal[offeredSetup]?.includes(text('setup')) === true, `setup ${text('setup')} to ${offeredSetup}`);

  const everything = [offered, ...offered.sections];
  rule(
    'S12',
    any.every((each) => value(each, 'ice-lite') === undefined),
    'ice-lite',
  );
  const options = everything.flatMap((each) => value(each, 'ice-options')?.split(/[ ,]/) ?? []);
  const taken = any.flatMap((each) => value(each, 'ice-options')?.split(' ') ?? []);
  rule(
    'S13',
    taken.every((each) => options.includes(each)),
    `ice-options ${taken}`,
  );
  const has = (list: Section[], name: string) => list.some((each) => value(each, name) !== undefined);
  rule('S15', !has(any, 'tls-id') || has(everything, 'tls-id'), 'tls-id');
  checkCandidates(accepted, tagMid, rule);
}

function checkCandidates(accepted: Pair[], tagMid: string | undefined, rule: Rule): void {
  for (const { a } of accepted) {
    const candidates = all(a, 'candidate');
    const tagged = value(a, 'mid') === tagMid;
    rule('S9', tagged || candidates.length === 0, `${a.head} has candidates and is not the tag`);
    if (!tagged) continue;
    const form =
      /^[\w+/]{1,32} 1 udp (\d{1,10}) (\S+) (\d{1,5}) typ (host|srflx|relay)( raddr \S+ rport \d+)?( \S+ \S+)*$/i;
    const read = candidates.map((each) => form.exec(each) ?? []);
    const inRange = read.every(
      ([, priority, , port]) => Number(priority) > 0 && Number(priority) < 2 ** 31 && Number(port) > 0,
    );
    rule('S14', candidates.length > 0 && inRange && read.every(([whole]) => whole), `candidates: ${candidates}`);
    rule('S14', new Set(read.map(([, priority]) => priority)).size === read.length, 'priorities differ');
    const hostV4 = (each: string[]) => each[4] === 'host' && /^[\d.]+$/.test(each[2] ?? '');
    rule('S14', !read.some(hostV4) || hostV4(read[0] ?? []), 'an IPv4 host candidate comes first');
    rule('S14', value(a, 'end-of-candidates') !== undefined, 'end-of-candidates');
  }
}

import type { StreamFacts } from '../../src/engine/port.ts';
import { all, type Pair, parameters, type Section, value } from './sdp-text.ts';

/** Notes a broken rule unless it holds. */
export type Rule = (name: string, holds: boolean, text: string) => void;

/** RFC 3551 §6. */
const STATIC: Readonly<Record<string, string>> = { 0: '0 pcmu/8000', 8: '8 pcma/8000', 9: '9 g722/8000' };

/** An rtpmap with the channels that are meant (RFC 7587 §7, RFC 8866 §6.6). */
function normal(map: string): string {
  return map.replace(/( opus\/48000)$/, '$1/2').replace(/\/1$/, '');
}

export function checkFormats({ o, a }: Pair, rule: Rule): void {
  // Of several for one number the first counts.
  const maps = (from: Section) =>
    new Map(
      all(from, 'rtpmap')
        .reverse()
        .map((each) => [each.split(' ')[0], normal(each.toLowerCase())]),
    );
  const offered = maps(o);
  const answered = maps(a);
  rule(
    'S17',
    a.formats.length > 0 && a.formats.every((each) => o.formats.includes(each)),
    `${a.head}: formats offered`,
  );
  rule('S17', new Set(a.formats).size === a.formats.length, `${a.head}: formats once`);
  for (const format of a.formats) {
    const spelled = offered.get(format) ?? STATIC[format];
    rule('S17', answered.has(format) && answered.get(format) === spelled, `${a.head}: rtpmap of ${format}`);
  }
  for (const name of ['rtpmap', 'fmtp', 'rtcp-fb']) {
    const strays = all(a, name).filter((each) => !a.formats.includes(each.split(' ')[0] ?? ''));
    rule('S17', strays.length === 0, `${a.head}: ${name} of formats not in the line: ${strays}`);
  }
  const media = a.formats.filter((format) => !answered.get(format)?.includes(' rtx/'));
  rule('S17', media.length === 1, `${a.head}: one codec, and its retransmission`);
}

export function checkExtras({ o, a }: Pair, role: string, rule: Rule): void {
  rule('S10', value(a, 'rtcp-mux') !== undefined, `${a.head}: rtcp-mux`);
  for (const [name, id] of [
    ['rtcp-mux-only', 'C1'],
    ['rtcp-rsize', 'S10'],
  ] as const) {
    rule(id, value(a, name) === undefined || value(o, name) !== undefined, `${a.head}: ${name} was not offered`);
  }
  for (const each of all(a, 'rtcp-fb')) {
    const [format = '', ...rest] = each.split(' ');
    const offered = all(o, 'rtcp-fb').some((it) => it === each || it === `* ${rest.join(' ')}`);
    const used = role === 'watch' ? /^(nack|nack pli|ccm fir)$/ : /^(nack|nack pli|ccm fir|goog-remb)$/;
    rule('S20', offered && used.test(rest.join(' ')), `${a.head}: feedback ${format} ${rest}`);
  }
  const extensions = (from: Section) => all(from, 'extmap').map((each) => /^(\d+)(?:\/(\w+))? (\S+)/.exec(each) ?? []);
  const offered = extensions(o);
  for (const [text, id, direction, uri] of extensions(a)) {
    const match = offered.find((each) => each[1] === id && each[3] === uri);
    rule('S21', match !== undefined, `${a.head}: extension ${text} was not offered`);
    const wanted = role === 'watch' ? 'sendonly' : 'recvonly';
    rule('S21', direction === undefined || direction === wanted, `${a.head}: extension ${text} the wrong way`);
    rule('S21', match?.[2] !== 'inactive' && match?.[2] !== wanted, `${a.head}: extension ${text} is not for us`);
  }
  const isMid = (each: string[]) => each[3] === 'urn:ietf:params:rtp-hdrext:sdes:mid';
  const fits = offered.find(isMid);
  const usable = Number(fits?.[1]) <= 14 && fits?.[2] === undefined && (value(a, 'mid')?.length ?? 99) <= 16;
  rule('S21', !usable || extensions(a).some(isMid), `${a.head}: sdes:mid was offered`);
}

export function checkH264({ o, a }: Pair, stream: StreamFacts, role: string, rule: Rule): void {
  const [format, repair] = a.formats;
  const chosen = parameters(a, format);
  const offered = parameters(o, format);
  rule('S18', all(a, 'rtpmap')[0]?.toLowerCase() === `${format} h264/90000`, `${a.head}: H264`);
  // RFC 6184 §8.2.2: as offered, and what is sent here needs 1.
  const mode = (from: Map<string, string>) => from.get('packetization-mode') ?? '0';
  rule('S18', mode(chosen) === mode(offered), `${a.head}: mode ${mode(chosen)} to ${mode(offered)}`);
  rule('S18', mode(chosen) === '1' || (role === 'publish' && mode(chosen) === '0'), `${a.head}: mode ${mode(chosen)}`);
  const level = chosen.get('profile-level-id')?.toLowerCase();
  rule('S18', level === (offered.get('profile-level-id')?.toLowerCase() ?? '42000a'), `${a.head}: profile ${level}`);
  const asymmetric = (from: Map<string, string>) => from.get('level-asymmetry-allowed') === '1';
  rule('S18', !asymmetric(chosen) || asymmetric(offered), `${a.head}: level-asymmetry-allowed`);
  const known = ['packetization-mode', 'profile-level-id', 'level-asymmetry-allowed'];
  rule(
    'S18',
    [...chosen.keys()].every((each) => known.includes(each)),
    `${a.head}: ${[...chosen.keys()]}`,
  );
  if (repair !== undefined) rule('S17', parameters(a, repair).get('apt') === format, `${a.head}: apt of ${repair}`);
  if (role !== 'watch') return;
  const wanted = profile(stream.video?.parameters?.['profile-level-id'] ?? '42e01f');
  const profiles = o.formats.flatMap((each) => {
    const named = all(o, 'rtpmap').filter((map) => map.toLowerCase() === `${each} h264/90000`);
    const its = parameters(o, each);
    const id = its.get('profile-level-id') ?? '42000a';
    return named.length > 0 && mode(its) === '1' && /^[0-9a-f]{6}$/i.test(id)
      ? [{ format: each, name: profile(id) }]
      : [];
  });
  const [fitting = { format }] = profiles.filter(({ name }) => name === wanted);
  rule('S18', fitting.format === format, `${a.head}: ${fitting.format} has the stream's profile`);
  const decodes = (name: string) => family(name) >= family(wanted);
  const taken = profile(level ?? '42000a');
  const bidirectional = stream.video?.bFrames === true;
  rule('S18', decodes(taken) || !bidirectional, `${a.head}: a decoder of ${level} does not play ${wanted}`);
  // The last resort is the last one, and the family of baseline if that was offered.
  const others = profiles.filter(({ name }) => decodes(name));
  rule('S18', decodes(taken) || others.length === 0, `${a.head}: ${others[0]?.format} plays ${wanted}`);
  const modest = profiles.some(({ name }) => family(name) === 0);
  rule('S18', decodes(taken) || family(taken) === 0 || !modest, `${a.head}: ${level} is no last resort`);
}

/** What a decoder of one profile can do that one of a lower number cannot. */
function family(name: string): number {
  if (name === '244') return 3;
  if (name.startsWith('64 ')) return 2;
  return name === '77' ? 1 : 0;
}

/** RFC 6184 §8.1 table 5, as far as browsers go. */
function profile(profileLevelId: string): string {
  const [idc = 0, iop = 0] = [profileLevelId.slice(0, 2), profileLevelId.slice(2, 4)].map((each) =>
    Number.parseInt(each, 16),
  );
  const constrained = { 66: 0x40, 77: 0x80, 88: 0xc0 }[idc];
  if (constrained !== undefined && (iop & constrained) === constrained) return 'constrained baseline';
  return idc === 0x64 ? `64 ${iop & 0x0c}` : String(idc);
}

export function checkSenders(accepted: Pair[], stream: StreamFacts, rule: Rule): void {
  const kinds = accepted.map(({ a }) => a.kind);
  for (const kind of ['audio', 'video'] as const) {
    rule('S16', kinds.filter((each) => each === kind).length <= 1, `one ${kind} track`);
    rule('FIT', !kinds.includes(kind) || stream[kind] !== undefined, `the stream has no ${kind}`);
  }
  rule(
    'FIT',
    kinds.every((each) => each === 'audio' || each === 'video'),
    `accepted: ${kinds}`,
  );
  const streams = accepted.map(({ a }) =>
    all(a, 'msid')
      .map((each) => each.split(' ')[0])
      .join(),
  );
  rule('C10', new Set(streams).size === 1 && !['-', ''].includes(streams[0] ?? ''), `one MediaStream: ${streams}`);
  const ssrcs = accepted.flatMap(({ a }) => all(a, 'ssrc').map((each) => each.split(' ')[0]));
  rule('S16', new Set(ssrcs).size === ssrcs.length && !ssrcs.includes('0'), `SSRCs differ: ${ssrcs}`);
  const names = accepted.flatMap(({ a }) => all(a, 'ssrc').map((each) => each.split(' cname:')[1]));
  rule('S16', new Set(names).size === 1 && names[0] !== undefined, `one CNAME: ${names}`);
  for (const { a } of accepted) {
    const own = all(a, 'ssrc').map((each) => each.split(' ')[0]);
    rule('S16', own.length === a.formats.length, `${a.head}: an SSRC for each format`);
    const group = value(a, 'ssrc-group');
    rule(
      'S16',
      own.length < 2 ? group === undefined : group === `FID ${own.join(' ')}`,
      `${a.head}: ssrc-group ${group}`,
    );
  }
}

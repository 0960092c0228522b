import type { StreamFacts } from '../../src/engine/port.ts';
import { checkH264, type Rule } from './answer-codecs.ts';
import { all, type Pair, parameters, type Section } from './sdp-text.ts';

interface Codec {
  rate: number;
  /** Parameters that an answer repeats, and the values that it may have offered. */
  repeats: Readonly<Record<string, RegExp>>;
  /** How well a format fits: 2 exactly, 1 if it decodes the stream, 0 not at all. `given` are the stream's parameters. */
  fits(offered: Map<string, string>, given: Readonly<Record<string, string>>): number;
}

const number = (text: string | undefined, absent: number) =>
  text === undefined ? absent : /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;

/** RFC 7741 §6, RFC 9628 §6, RTP payload format for AV1 §7.2, RFC 7798 §7.1 and §7.2.2. */
const VIDEO: Readonly<Record<string, Codec>> = {
  vp8: { rate: 90000, repeats: {}, fits: () => 2 },
  vp9: {
    rate: 90000,
    repeats: { 'profile-id': /^[0-3]$/ },
    fits: (offered, given) => (number(offered.get('profile-id'), 0) === number(given['profile-id'], 0) ? 2 : 0),
  },
  av1: {
    rate: 90000,
    repeats: { 'level-idx': /^\d{1,2}$/, profile: /^[0-2]$/, tier: /^[01]$/ },
    fits: (offered, given) => {
      const more = number(offered.get('profile'), 0) - number(given.profile, 0);
      if (number(offered.get('profile'), 0) > 2) return 0;
      return more === 0 ? 2 : more > 0 ? 1 : 0;
    },
  },
  h265: {
    rate: 90000,
    repeats: {
      'profile-space': /^0$/,
      'profile-id': /^\d{1,2}$/,
      'tier-flag': /^[01]$/,
      'level-id': /^\d{1,3}$/,
      'tx-mode': /^SRST$/i,
    },
    fits: (offered, given) => {
      const tier = number(offered.get('tier-flag'), 0);
      const single = (offered.get('tx-mode') ?? 'SRST').toUpperCase() === 'SRST';
      if (!single || number(offered.get('profile-space'), 0) !== 0) return 0;
      if (!(tier === 0 || tier === 1) || tier < number(given['tier-flag'], 0)) return 0;
      const [has, wanted] = [number(offered.get('profile-id'), 1), number(given['profile-id'], 1)];
      if (has === wanted) return 2;
      return wanted === 1 && has === 2 ? 1 : 0;
    },
  },
};

/** The rules of the codec that was accepted; a viewer's has to be the stream's. */
export function checkVideo(pair: Pair, stream: StreamFacts, role: string, rule: Rule): void {
  const { o, a } = pair;
  const [format, repair] = a.formats;
  const { name } = mapOf(a, format);
  if (role === 'watch') rule('FIT', name === stream.video?.codec, `${a.head}: the stream is ${stream.video?.codec}`);
  if (name === 'h264') {
    checkH264(pair, stream, role, rule);
    return;
  }
  if (repair !== undefined) rule('S17', parameters(a, repair).get('apt') === format, `${a.head}: apt of ${repair}`);
  const codec = VIDEO[name];
  rule('S22', codec !== undefined, `${a.head}: ${name} is no codec of video`);
  if (codec === undefined) return;
  checkRepeated(pair, codec, rule);
  if (role !== 'watch') return;
  const given = stream.video?.parameters ?? {};
  const fitting = o.formats
    .filter((each) => mapOf(o, each).name === name && mapOf(o, each).rate === codec.rate)
    .map((each) => ({ each, fits: codec.fits(parameters(o, each), given) }));
  const best = fitting.find(({ fits }) => fits === 2) ?? fitting.find(({ fits }) => fits === 1);
  rule('S23', best?.each === format, `${a.head}: ${best?.each} fits best`);
}

function checkRepeated({ o, a }: Pair, { rate, repeats }: Omit<Codec, 'fits'>, rule: Rule): void {
  const [format] = a.formats;
  const [chosen, offered] = [parameters(a, format), parameters(o, format)];
  rule('S22', mapOf(a, format).rate === rate, `${a.head}: the clock`);
  const expected = Object.entries(repeats).filter(([name, form]) => form.test(offered.get(name) ?? ''));
  rule('S22', chosen.size === expected.length, `${a.head}: ${[...chosen.keys()]}`);
  for (const [name] of expected) {
    rule('S22', chosen.get(name) === offered.get(name), `${a.head}: ${name} as offered`);
  }
}

const MULTIOPUS = {
  rate: 48000,
  repeats: {
    channel_mapping: /^[\d,]+$/,
    coupled_streams: /^\d$/,
    num_streams: /^\d$/,
    minptime: /^\d{1,3}$/,
    useinbandfec: /^[01]$/,
  },
};

export function checkAudio(pair: Pair, stream: StreamFacts, role: string, rule: Rule): void {
  const { a } = pair;
  const [format, repair] = a.formats;
  const { name, rate, channels } = mapOf(a, format);
  if (role === 'watch') rule('FIT', name === stream.audio?.codec, `${a.head}: the stream is ${stream.audio?.codec}`);
  rule('S19', repair === undefined, `${a.head}: retransmission of sound`);
  if (name === 'opus') {
    checkOpus(pair, stream, role, rule);
  } else if (name === 'multiopus') {
    rule('S19', role !== 'watch' || Number(channels) === stream.audio?.channels, `${a.head}: ${channels} channels`);
    checkRepeated(pair, MULTIOPUS, rule);
  } else {
    rule('S19', ['g722', 'pcmu', 'pcma'].includes(name) && rate === 8000, `${a.head}: ${name}/${rate}`);
    rule('S19', channels === undefined && parameters(a, format).size === 0, `${a.head}: one channel, no parameters`);
  }
}

/** What a number stands for. */
function mapOf(from: Section, format: string | undefined) {
  const map = all(from, 'rtpmap').find((each) => each.startsWith(`${format} `)) ?? '';
  const [name = '', rate, channels] = map.slice(map.indexOf(' ') + 1).split('/');
  return { name: name.toLowerCase(), rate: Number(rate), channels };
}

function checkOpus({ o, a }: Pair, stream: StreamFacts, role: string, rule: Rule): void {
  const [format] = a.formats;
  rule('S19', all(a, 'rtpmap')[0]?.toLowerCase() === `${format} opus/48000/2`, `${a.head}: opus/48000/2`);
  const chosen = parameters(a, format);
  const known = ['minptime', 'useinbandfec', 'stereo', 'sprop-stereo'];
  rule(
    'S19',
    [...chosen.keys()].every((each) => known.includes(each)),
    `${a.head}: ${[...chosen.keys()]}`,
  );
  for (const name of ['minptime', 'useinbandfec']) {
    const same = !chosen.has(name) || chosen.get(name) === parameters(o, format).get(name);
    rule('S19', same, `${a.head}: ${name} as offered`);
  }
  if (role !== 'watch') return;
  const stereo = stream.audio?.channels !== 1;
  rule('S19', (chosen.get('sprop-stereo') === '1') === stereo, `${a.head}: stereo ${stereo}`);
}

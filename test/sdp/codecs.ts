import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Codec, VideoCodec } from '../../src/engine/codecs.ts';
import type { AudioFacts, StreamFacts, VideoFacts } from '../../src/engine/port.ts';
import { checkAnswer } from '../support/answer-rules.ts';
import { edit, exchange, failureOf } from '../support/exchange.ts';
import { offerOf } from '../support/offers.ts';

const test = suite('negotiation of each codec');

const C = offerOf('chromium-watch');
/** As Firefox is before its plugin for H264 has come. */
const F = without(offerOf('firefox-watch'), 'H264');
const S = offerOf('safari-watch');

/** An offer without the formats of a codec, and without those that repair them. */
function without(offer: string, encoding: string): string {
  const types = [...offer.matchAll(new RegExp(`^a=rtpmap:(\\d+) ${encoding}/`, 'gm'))].map(([, type]) => type);
  const repairs = types.flatMap((type) => new RegExp(`^a=fmtp:(\\d+) apt=${type}\r$`, 'm').exec(offer)?.[1] ?? []);
  return offer.replace(/^(m=video \S+ \S+) (.*)$/m, (_, head: string, formats: string) => {
    const kept = formats.split(' ').filter((each) => !types.includes(each.trim()) && !repairs.includes(each.trim()));
    return [head, ...kept].join(' ');
  });
}

/** An offer whose video is these formats alone, from payload type 96 on. */
function offering(...formats: [map: string, config?: string | undefined][]): string {
  const lines = formats.flatMap(([map, config], at) => [
    `a=rtpmap:${96 + at} ${map}`,
    ...(config === undefined ? [] : [`a=fmtp:${96 + at} ${config}`]),
  ]);
  const [session = '', video = '', audio = ''] = C.split(/^(?=m=)/m);
  const bare = video.replace(/a=(rtpmap|fmtp|rtcp-fb):.*\r\n/g, '');
  const types = formats.map((_, at) => 96 + at).join(' ');
  return (
    session + edit(edit(bare, 'm=', `m=video 9 UDP/TLS/RTP/SAVPF ${types}`), 'a=mid:0', 'a=mid:0', ...lines) + audio
  );
}

function video(codec: VideoCodec, parameters?: VideoFacts['parameters'], more: Partial<VideoFacts> = {}): StreamFacts {
  return { video: { active: true, codec, bFrames: false, ...(parameters && { parameters }), ...more } };
}

function audio(codec: AudioFacts['codec'], channels = 1): StreamFacts {
  return { audio: { active: true, codec, channels } };
}

interface Row {
  name: string;
  stream: StreamFacts;
  offer: string;
  /** Formats of the accepted line, and the fmtp of the first; or what is missing. */
  accepted?: [formats: string, fmtp?: string | undefined];
  missing?: string;
  /** What the warning says; none without. */
  warning?: RegExp;
}

const VP9_2 = video('vp9', { 'profile-id': '2' });
const AV1_1 = video('av1', { profile: '1', 'level-idx': '5', tier: '0' });
const MAIN = video('h265', { 'profile-space': '0', 'profile-id': '1', 'tier-flag': '0', 'level-id': '60' });
const MAIN_10 = video('h265', { 'profile-id': '2', 'tier-flag': '0', 'level-id': '93' });
const HIGH_TIER = video('h265', { 'profile-id': '1', 'tier-flag': '1', 'level-id': '120' });
const LEVEL_5 = video('h265', { 'profile-id': '1', 'tier-flag': '0', 'level-id': '153' });
const only = (map: string, config?: string) => offering([map, config]);
const bare = [0, 8, 9].reduce((sdp, type) => edit(sdp, `a=rtpmap:${type}`), C);
const multiopus = (config: string) =>
  edit(
    C.replace(/^m=audio 9 \S+ /m, '$&112 '),
    'a=rtpmap:111',
    'a=rtpmap:111 opus/48000/2',
    'a=rtpmap:112 multiopus/48000/6',
    `a=fmtp:112 ${config}`,
  );
const SURROUND = 'channel_mapping=0,4,1,2,3,5;coupled_streams=2;num_streams=4';

const rows: Row[] = [
  { name: '1: VP8, C', stream: video('vp8'), offer: C, accepted: ['96 97'] },
  { name: '1: VP8, F', stream: video('vp8', {}), offer: F, accepted: ['120 124'] },
  { name: '1: VP8, S', stream: video('vp8', {}), offer: S, accepted: ['108 109'] },
  ...[video('vp9'), video('vp9', { 'profile-id': '0' })].flatMap((stream, at): Row[] => [
    { name: `2: VP9 ${at}, C`, stream, offer: C, accepted: ['98 99', 'profile-id=0'] },
    { name: `2: VP9 ${at}, F`, stream, offer: F, accepted: ['121 125'] },
    { name: `2: VP9 ${at}, S`, stream, offer: S, missing: 'VP9' },
  ]),
  { name: '3: VP9 profile 2, C', stream: VP9_2, offer: C, accepted: ['100 101', 'profile-id=2'] },
  {
    name: '3: VP9 profile 2, F',
    stream: VP9_2,
    offer: F,
    missing: 'VP9',
    warning: /profile 2.*profile 0.*-pix_fmt yuv420p/,
  },
  ...[video('av1'), video('av1', { profile: '0', 'level-idx': '5', tier: '0' })].flatMap((stream, at): Row[] => [
    { name: `4: AV1 ${at}, C`, stream, offer: C, accepted: ['45 46', 'level-idx=5;profile=0;tier=0'] },
    { name: `4: AV1 ${at}, F`, stream, offer: F, accepted: ['99 100'] },
    { name: `4: AV1 ${at}, S`, stream, offer: S, missing: 'AV1' },
  ]),
  {
    name: '5: AV1 of a level and a tier that nobody offers',
    stream: video('av1', { profile: '0', 'level-idx': '13', tier: '1' }),
    offer: C,
    accepted: ['45 46', 'level-idx=5;profile=0;tier=0'],
  },
  { name: '6: AV1 High, C', stream: AV1_1, offer: C, accepted: ['47 48', 'level-idx=5;profile=1;tier=0'] },
  { name: '6: AV1 High, F', stream: AV1_1, offer: F, missing: 'AV1', warning: /AV1 High.*offers Main/ },
  {
    name: '7: AV1 Main for who offers High alone',
    stream: video('av1', { profile: '0' }),
    offer: only('AV1/90000', 'profile=1'),
    accepted: ['96', 'profile=1'],
    warning: /AV1 Main.*sent as High/,
  },
  {
    name: '7: AV1 Professional is decoded by nothing less',
    stream: video('av1', { profile: '2' }),
    offer: C,
    missing: 'AV1',
    warning: /AV1 Professional.*offers Main, High/,
  },
  { name: '8: H265 Main, S', stream: MAIN, offer: S, accepted: ['125 107', 'level-id=93;tx-mode=SRST'] },
  {
    name: '8: H265, nothing known, S',
    stream: video('h265'),
    offer: S,
    accepted: ['125 107', 'level-id=93;tx-mode=SRST'],
  },
  { name: '8: H265 Main, no fmtp', stream: MAIN, offer: edit(S, 'a=fmtp:125'), accepted: ['125 107'] },
  {
    name: '8: H265 Main, as Chrome writes it',
    stream: MAIN,
    offer: only('H265/90000', 'level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST'),
    accepted: ['96', 'level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST'],
  },
  {
    name: '9: H265 Main for who offers Main 10 alone',
    stream: MAIN,
    offer: only('H265/90000', 'profile-id=2'),
    accepted: ['96', 'profile-id=2'],
    warning: /H265 Main.*sent as Main 10/,
  },
  {
    name: '9: H265 Main 10',
    stream: MAIN_10,
    offer: only('H265/90000', 'profile-id=2'),
    accepted: ['96', 'profile-id=2'],
  },
  { name: '10: H265 Main 10, S', stream: MAIN_10, offer: S, missing: 'H265', warning: /H265 Main 10.*offers Main,/ },
  {
    name: '11: H265 of the High tier, not offered',
    stream: HIGH_TIER,
    offer: only('H265/90000', 'tier-flag=0'),
    missing: 'H265',
    warning: /High tier.*high-tier=0/,
  },
  {
    name: '11: H265 of the High tier',
    stream: HIGH_TIER,
    offer: only('H265/90000', 'tier-flag=1'),
    accepted: ['96', 'tier-flag=1'],
  },
  {
    name: '11: H265 of the Main tier is decoded by who offers the High one',
    stream: MAIN,
    offer: only('H265/90000', 'tier-flag=1'),
    accepted: ['96', 'tier-flag=1'],
  },
  { name: '12: H265 in several streams', stream: MAIN, offer: only('H265/90000', 'tx-mode=MRST'), missing: 'H265' },
  {
    name: '12: H265 of another profile space',
    stream: MAIN,
    offer: only('H265/90000', 'profile-space=1'),
    missing: 'H265',
  },
  { name: '12: H265, C', stream: MAIN, offer: C, missing: 'H265' },
  {
    name: '13: H265 level 5.1',
    stream: LEVEL_5,
    offer: only('H265/90000', 'level-id=93'),
    accepted: ['96', 'level-id=93'],
  },
  ...(['pcmu', 'pcma', 'g722'] as const).flatMap((codec, at): Row[] =>
    Object.entries({ C, F, bare }).map(([name, offer]) => ({
      name: `14: ${codec}, ${name}`,
      stream: audio(codec),
      offer,
      accepted: [['0', '8', '9'][at] ?? ''],
    })),
  ),
  { name: '15: PCMU of 16 kHz', stream: audio('pcmu'), offer: C.replace('PCMU/8000', 'PCMU/16000'), missing: 'PCMU' },
  {
    name: '15: PCMU of two channels',
    stream: audio('pcmu'),
    offer: C.replace('PCMU/8000', 'PCMU/8000/2'),
    missing: 'PCMU',
  },
  { name: '16: 5.1, C', stream: audio('multiopus', 6), offer: C, missing: 'multiopus' },
  { name: '16: 5.1', stream: audio('multiopus', 6), offer: multiopus(SURROUND), accepted: ['112', SURROUND] },
  {
    name: '16: 5.1 in another order',
    stream: audio('multiopus', 6),
    offer: multiopus(SURROUND.replace('0,4,1,2,3,5', '0,1,2,3,4,5')),
    missing: 'multiopus',
  },
  {
    name: '16: 5.1 of other streams',
    stream: audio('multiopus', 6),
    offer: multiopus(SURROUND.replace('num_streams=4', 'num_streams=5')),
    missing: 'multiopus',
  },
  { name: '16: 7.1 is not 5.1', stream: audio('multiopus', 8), offer: multiopus(SURROUND), missing: 'multiopus' },
  { name: '17: VP9 and Opus, S', stream: { ...video('vp9'), ...audio('opus', 2) }, offer: S, missing: 'VP9' },
  { name: '19: vp8', stream: video('vp8'), offer: only('vp8/90000'), accepted: ['96'] },
  { name: '19: VP8 of another clock', stream: video('vp8'), offer: only('VP8/48000'), missing: 'VP8' },
  {
    name: '20: VP8 larger than the viewer takes',
    stream: video('vp8', {}, { width: 3840, height: 2160 }),
    offer: F,
    accepted: ['120 124'],
    warning: /32400.*12288/,
  },
  {
    name: '20: VP8 that just fits',
    stream: video('vp8', {}, { width: 2048, height: 1536 }),
    offer: F,
    accepted: ['120 124'],
  },
  {
    name: '20: VP9 larger than the viewer takes',
    stream: video('vp9', {}, { width: 3840, height: 2161 }),
    offer: F,
    accepted: ['121 125'],
    warning: /32640.*12288/,
  },
  ...(
    [
      ['vp8', 'VP8/90000'],
      ['vp9', 'VP9/90000', 'profile-id=0'],
      ['av1', 'AV1/90000', 'profile=0'],
      ['h265', 'H265/90000', 'profile-id=1'],
    ] as const
  ).flatMap(([codec, map, config]): Row[] => [
    {
      name: `21: two of ${codec}`,
      stream: video(codec),
      offer: offering([map, config], [map]),
      accepted: ['96', config],
    },
    {
      name: `21: two of ${codec}, the other way`,
      stream: video(codec),
      offer: offering([map], [map, config]),
      accepted: ['96'],
    },
    {
      name: `22: unknown parameters of ${codec}`,
      stream: video(codec),
      offer: only(map, `x-google-start-bitrate=1;__proto__=1;sprop-vps=QAE=${config ? `; ${config}` : ''}`),
      accepted: ['96', config],
    },
  ]),
  {
    name: 'a profile that is no number',
    stream: video('vp9'),
    offer: only('VP9/90000', 'profile-id='),
    missing: 'VP9',
  },
  { name: 'an absurd profile', stream: video('av1'), offer: only('AV1/90000', 'profile=7'), missing: 'AV1' },
];

for (const { name, stream, offer, accepted, missing, warning } of rows) {
  test(name, () => {
    if (missing !== undefined) {
      const { message, facts } = failureOf(() => exchange(offer, { stream }));
      assert.is(message, `webrtc: codec mismatch -- offer is missing: ${missing}`);
      assert.equal(facts.missing, [missing]);
      assert.match(facts.warnings?.join() ?? '', warning ?? /^$/);
      return;
    }
    const { plan, answer } = exchange(offer, { stream });
    assert.equal(checkAnswer(offer, answer, stream), []);
    const [formats = '', fmtp] = accepted ?? [];
    const [type = ''] = formats.split(' ');
    assert.equal(/^m=\w+ 9 \S+ (.*)/m.exec(answer)?.[1], formats);
    assert.is(new RegExp(`(?<=^a=fmtp:${type} ).*`, 'm').exec(answer)?.[0], fmtp);
    const [line] = plan.media;
    assert.is(line?.codec, (stream.video ?? stream.audio)?.codec);
    assert.is(line?.rtx?.payloadType, formats.includes(' ') ? Number(formats.split(' ')[1]) : undefined);
    assert.match(plan.warnings.join(), warning ?? /^$/);
  });
}

test('14: sound of one channel is written without a number of them', () => {
  for (const [codec, map] of [
    ['pcmu', '0 PCMU/8000'],
    ['pcma', '8 PCMA/8000'],
    ['g722', '9 G722/8000'],
  ] as const) {
    for (const offer of [C, F, bare]) {
      assert.match(exchange(offer, { stream: audio(codec) }).answer, `\r\na=rtpmap:${map}\r\n`);
    }
  }
});

test('16: sound of many channels is written with their number, which the engine is told', () => {
  const { plan, answer } = exchange(multiopus(SURROUND), { stream: audio('multiopus', 6) });
  assert.match(answer, '\r\na=rtpmap:112 multiopus/48000/6\r\n');
  assert.is(plan.media[0]?.channels, 6);
});

test('18: where one leg is enough, the other is watched alone', () => {
  const { answer } = exchange(S, { stream: { ...video('vp9'), ...audio('opus', 2) }, complete: false });
  assert.equal(answer.match(/^m=.*/gm), ['m=audio 9 UDP/TLS/RTP/SAVPF 111', 'm=video 0 UDP/TLS/RTP/SAVPF 0']);
});

test('what a stream does not carry may be described as badly as anybody likes', () => {
  const odd = edit(C, 'a=rtpmap:96', 'a=rtpmap:96 VP8/90000', 'a=rtpmap:96 VP8/x');
  assert.is(exchange(odd, { stream: video('av1') }).plan.media[0]?.payloadType, 45);
  assert.is(failureOf(() => exchange(odd, { stream: video('vp8') })).code, 'invalid-offer');
});

const PUBLISH = offerOf('chromium-publish');
const FIREFOX = F.replaceAll('a=recvonly', 'a=sendonly');

function published(offer: string, codecs?: Codec[]) {
  const { plan, answer } = exchange(offer, { role: 'publish', ...(codecs && { codecs }) });
  assert.equal(checkAnswer(offer, answer, {}, 'publish'), []);
  return plan.media.map(({ codec, payloadType }) => [codec, payloadType]);
}

test('23: a publisher is asked for what we like best, whatever it does', () => {
  assert.equal(published(PUBLISH), [
    ['opus', 111],
    ['h264', 108],
  ]);
});

test('24: a stream may have an order of its own', () => {
  assert.equal(published(PUBLISH, ['vp9', 'h264']), [
    ['opus', 111],
    ['vp9', 98],
  ]);
  assert.equal(published(PUBLISH, ['pcma', 'opus', 'av1']), [
    ['pcma', 8],
    ['av1', 45],
  ]);
});

test('25: a stream may take one codec alone', () => {
  assert.equal(published(FIREFOX, ['av1'])[0], ['av1', 99]);
  const { code, message } = failureOf(() => published(offerOf('obs-publish'), ['av1']));
  assert.is(code, 'unsupported-offer');
  assert.match(message, /the m-line of mid 1 offers no AV1$/);
});

test('26: a publisher without H264 is taken with what it has', () => {
  assert.equal(published(FIREFOX), [
    ['vp8', 120],
    ['opus', 109],
  ]);
  const { code, message } = failureOf(() => published(FIREFOX, ['h264']));
  assert.is(code, 'unsupported-offer');
  assert.match(message, 'mid 0 offers no H264');
});

test('a publisher is asked for the profile that most viewers decode', () => {
  const sending = (...formats: [string, string?][]) => offering(...formats).replaceAll('a=recvonly', 'a=sendonly');
  const type = (...formats: [string, string?][]) => published(sending(...formats))[0];
  assert.equal(type(['VP9/90000', 'profile-id=2'], ['VP9/90000', 'profile-id=0']), ['vp9', 97]);
  assert.equal(type(['VP9/90000', 'profile-id=2']), ['vp9', 96]);
  assert.equal(type(['AV1/90000', 'profile=1'], ['AV1/90000']), ['av1', 97]);
  assert.equal(type(['H265/90000', 'profile-id=2'], ['H265/90000', 'profile-id=1']), ['h265', 97]);
  for (const config of ['sprop-max-don-diff=2', 'tx-mode=MRST']) {
    assert.match(failureOf(() => type(['H265/90000', config])).message, 'H265');
  }
});

test('multiopus is taken by name alone', () => {
  const offer = multiopus(SURROUND).replaceAll('a=recvonly', 'a=sendonly');
  assert.equal(published(offer)[1], ['opus', 111]);
  assert.equal(published(offer, ['multiopus'])[1], ['multiopus', 112]);
});

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StreamFacts } from '../../src/engine/port.ts';
import { Failure } from '../../src/errors.ts';
import { profileOf } from '../../src/sdp/codecs/h264.ts';
import { edit, exchange, failureOf, STREAM } from '../support/exchange.ts';
import { h264Facts } from '../support/facts.ts';
import { offerOf } from '../support/offers.ts';

const test = suite('H264 negotiation');

const gstreamer = offerOf('gstreamer-watch');

/** An offer of these H264 formats, in this order, from payload type 96 on. */
function offering(...configs: string[]): string {
  const types = configs.map((_, at) => 96 + at);
  const lines = configs.flatMap((config, at) => [`a=rtpmap:${96 + at} H264/90000`, `a=fmtp:${96 + at} ${config}`]);
  const named = gstreamer.replaceAll('96 OPUS', '111 OPUS').replace('SAVPF 96', 'SAVPF 111');
  const bare = ['a=fmtp:', 'a=rtcp-fb:', 'a=rtpmap:97'].reduce((sdp, start) => edit(sdp, start), named);
  return edit(edit(bare, 'm=video', `m=video 9 UDP/TLS/RTP/SAVPF ${types.join(' ')}`), 'a=rtpmap:101', ...lines);
}

interface Case {
  bFrames?: boolean;
  reorderFrames?: number;
  interlaced?: boolean;
  strictProfiles?: boolean;
}

function streamOf(profileLevelId: string | undefined, { strictProfiles: _, ...facts }: Case = {}): StreamFacts {
  return { ...STREAM, video: h264Facts(profileLevelId, facts) };
}

function chosen(profileLevelId: string | undefined, ...configs: string[]) {
  return chosenOf(profileLevelId, {}, ...configs);
}

function chosenOf(profileLevelId: string | undefined, terms: Case, ...configs: string[]) {
  const { strictProfiles = false } = terms;
  const { plan, answer } = exchange(offering(...configs), { stream: streamOf(profileLevelId, terms), strictProfiles });
  const [fmtp = ''] = /(?<=^a=fmtp:\d+ ).*profile-level-id.*$/m.exec(answer) ?? [];
  const { warnings, profileMismatch } = plan;
  return { type: plan.media[0]?.payloadType, fmtp, warning: warnings.join(), profileMismatch };
}

/** Whether a format fits a stream without a word about it. */
function isExact(stream: string, config: string): boolean {
  try {
    return chosen(stream, config).warning === '';
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

const mode1 = (profileLevelId: string) => `packetization-mode=1;profile-level-id=${profileLevelId}`;

// RFC 6184 §8.1 table 5: several bytes mean one profile. The level is never compared (§8.2.2).
const equal: [stream: string, offered: string, name: string][] = [
  ['42c01f', '42e01f', 'Constrained Baseline'],
  ['42e034', '42e00a', 'Constrained Baseline, any level'],
  ['4d801f', '42e01f', 'Constrained Baseline as a subset of Main'],
  ['58c01f', '42401f', 'Constrained Baseline as a subset of Extended'],
  ['42001f', '42801f', 'Baseline'],
  ['42001f', '58a01f', 'Baseline as a subset of Extended'],
  ['4d401f', '4d001f', 'Main'],
  ['58001f', '58301f', 'Extended'],
  ['640028', '64001f', 'High'],
  ['64082a', '64081f', 'Progressive High'],
  ['640c2a', '640C1F', 'Constrained High'],
  ['6e0028', '6e101f', 'High 10'],
  ['7a0028', '7a001f', 'High 4:2:2'],
  ['f40028', 'f4001f', 'High 4:4:4 Predictive'],
];
for (const [stream, offered, name] of equal) {
  test(`${stream} is ${offered}: ${name}`, () => {
    const others = [
      '42e01f',
      '42001f',
      '4d001f',
      '64001f',
      '64081f',
      '640c1f',
      '6e001f',
      '7a001f',
      'f4001f',
      '58001f',
    ].map(mode1);
    const different = others.filter((each) => !isExact(stream, each));
    const { type, fmtp, warning } = chosen(stream, ...different, mode1(offered));
    assert.is(type, 96 + different.length);
    assert.is(fmtp, `packetization-mode=1;profile-level-id=${offered}`);
    assert.is(warning, '');
    assert.is(different.length, 9);
  });
}

// RFC 6184 §6.2: who says 0 understands no fragments, and those are what is sent.
test('packetization-mode 0, stated or implied, is not what is sent, and the refusal says what is', () => {
  const zero = ['profile-level-id=42e01f', 'packetization-mode=0;profile-level-id=42e01f'];
  assert.is(chosen('42e01f', ...zero, mode1('42e01f')).type, 98);
  const { code, message, facts } = failureOf(() => chosen('42e01f', ...zero));
  assert.is(code, 'codec-mismatch');
  assert.match(message, /^webrtc: codec mismatch -- .*packetization-mode=1/);
  assert.equal(facts.missing, ['H264']);
});

test('before the first SPS the viewer gets what it most likely decodes, without a word', () => {
  for (const configs of [
    [mode1('64001f'), mode1('42001f'), mode1('42e01f')],
    [mode1('4d001f'), mode1('64001f')],
  ]) {
    const { type, warning } = chosen(undefined, ...configs);
    assert.equal([type, warning], [configs.length === 3 ? 98 : 96, '']);
  }
});

test('of equals, the first offered', () => {
  assert.is(chosen('42e01f', mode1('42c01f'), mode1('42e01f')).type, 96);
});

test('no exact fit: the nearest profile that decodes the stream, and a warning', () => {
  assert.is(chosen('42e01f', mode1('64001f'), mode1('4d001f'), mode1('42001f')).type, 98);
  assert.is(chosen('42e01f', mode1('64001f'), mode1('4d001f')).type, 97);
  assert.is(chosen('4d401f', mode1('42e01f'), mode1('64001f')).type, 97);
  const { warning } = chosen('640c1f', mode1('42e01f'), mode1('64001f'));
  assert.match(warning, 'the stream is H264 Constrained High, a viewer offers Constrained Baseline, High');
  assert.match(warning, 'sent as High, which decodes it');
});

test('what is safe without being a superset: baseline as encoders mean it, High without B-frames and fields', () => {
  assert.is(chosen('42001f', mode1('64001f'), mode1('42e01f')).type, 97);
  assert.is(chosen('640028', mode1('42e01f'), mode1('640c1f')).type, 97);
  assert.is(chosen('4d001f', mode1('42e01f'), mode1('640c1f')).type, 97);
  assert.is(chosen('640028', mode1('640c1f'), mode1('f4001f')).type, 97, 'a superset first');
});

test('a last resort: what is common is sent as baseline where nothing offered decodes it, with a warning', () => {
  for (const stream of ['4d401f', '4d001f', '640028', '64082a', '640c1f']) {
    const { type, warning, profileMismatch } = chosen(stream, mode1('42001f'), mode1('42e01f'), mode1('58001f'));
    assert.equal([type, profileMismatch], [97, true], stream);
    assert.match(warning, profileOf(stream));
    assert.match(warning, '-profile:v baseline');
  }
  assert.is(chosen('640028', mode1('42001f')).fmtp, mode1('42001f'));
  assert.is(chosen('640028', mode1('4d001f')).type, 96);
  assert.equal(chosen('640028', mode1('42e01f'), mode1('64001f')).profileMismatch, false);
});

test('no last resort for what WebRTC cannot show, nor where profiles are strict: the refusal names both', () => {
  const refused: [stream: string, terms: Case][] = [
    ['640028', { bFrames: true }],
    ['640028', { reorderFrames: 2 }],
    ['4d001f', { interlaced: true }],
    ['4d001f', { strictProfiles: true }],
    ['640028', { strictProfiles: true }],
    ['6e0028', {}],
    ['7a0028', {}],
    ['f40028', {}],
    ['2c0028', {}],
    ['58001f', {}],
    ['530028', {}],
  ];
  for (const [stream, terms] of refused) {
    const { code, message, facts } = failureOf(() => chosenOf(stream, terms, mode1('42e01f'), mode1('42001f')));
    assert.is(code, 'codec-mismatch');
    assert.equal(facts.missing, ['H264']);
    // There is H264 in the offer.
    assert.not.match(message, 'offer is missing');
    for (const text of [message, facts.warnings?.join() ?? '']) {
      assert.match(text, profileOf(stream));
      assert.match(text, 'Constrained Baseline, Baseline');
    }
    assert.match(facts.warnings?.[0] ?? '', '-profile:v baseline');
  }
});

test('10 bits and 4:2:2 are no High: what decodes them is, by their names', () => {
  for (const stream of ['6e000d', '7a000d']) {
    const { type, warning } = chosen(stream, mode1('640c1f'), mode1('64001f'), mode1('f4001f'));
    assert.is(type, 98);
    assert.match(warning, profileOf(stream));
    assert.is(failureOf(() => chosen(stream, mode1('640c1f'), mode1('64001f'))).code, 'codec-mismatch');
  }
});

test('fields are nothing for decoders of whole frames', () => {
  const interlaced = { interlaced: true };
  assert.is(chosenOf('640028', interlaced, mode1('640c1f'), mode1('64081f'), mode1('f4001f')).type, 98);
  assert.is(chosenOf('4d0028', interlaced, mode1('640c1f'), mode1('64001f')).type, 97);
  assert.is(failureOf(() => chosenOf('640028', interlaced, mode1('640c1f'), mode1('42e01f'))).code, 'codec-mismatch');
  // The profile fits, and the viewer may still see combs.
  const { type, warning } = chosenOf('640028', interlaced, mode1('64001f'));
  assert.is(type, 96);
  assert.match(warning, 'interlaced');
});

const NEXT_BEST: [client: string, stream: string, sent: string, mismatch: boolean][] = [
  ['firefox-watch', '42c01f', '42e01f', false],
  ['firefox-watch', '42001f', '42001f', false],
  ['firefox-watch', '4d401f', '42e01f', true],
  ['firefox-watch', '640028', '42e01f', true],
  ['gstreamer-watch', '42c01f', '42e016', false],
  ['gstreamer-watch', '42001f', '42e016', false],
  ['gstreamer-watch', '4d401f', '42e016', true],
  ['gstreamer-watch', '640028', '42e016', true],
  ['safari-watch', '42001f', '42e01f', false],
  ['safari-watch', '4d401f', '640c1f', false],
  ['safari-watch', '640028', '640c1f', false],
  ['chromium-watch', '42001f', '42001f', false],
  ['chromium-watch', '4d401f', '4d001f', false],
  ['chromium-watch', '640028', 'f4001f', false],
  ['chromium-watch', '6e0028', 'f4001f', false],
];
for (const [client, stream, sent, mismatch] of NEXT_BEST) {
  test(`${client} of ${profileOf(stream)} gets ${sent}`, () => {
    const { plan, answer } = exchange(offerOf(client), { stream: streamOf(stream) });
    assert.equal([/profile-level-id=(\w+)/.exec(answer)?.[1], plan.profileMismatch], [sent, mismatch]);
  });
}

test('bits that the table wants to be 0 change nothing', () => {
  assert.is(chosen('42e51f', mode1('42001f'), mode1('42e01f')).type, 97);
  assert.is(chosen('4d001f', mode1('42e01f'), mode1('4d0f1f')).type, 97);
});

test('no profile-level-id means Baseline at level 1 (RFC 6184 §8.1)', () => {
  assert.is(chosen('42001f', 'packetization-mode=1').fmtp, 'packetization-mode=1;profile-level-id=42000a');
  assert.is(failureOf(() => chosen('42001f', mode1('nonsense'))).code, 'codec-mismatch');
});

test('the answer has the three parameters alone, asymmetry only when offered', () => {
  const offered = 'sprop-parameter-sets=Z0LAH9k=,aMuDyyA=; Profile-Level-Id=42e01f; max-br=20; packetization-mode=1';
  assert.is(chosen('42e01f', offered).fmtp, 'packetization-mode=1;profile-level-id=42e01f');
  assert.is(
    chosen('42e01f', `${offered};level-asymmetry-allowed=1`).fmtp,
    'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
  );
});

test('odd white space between parameters hides none of them', () => {
  const odd = 'level-asymmetry-allowed=1;\tpacketization-mode=1;\u00a0profile-level-id=42e01f';
  assert.is(chosen('42e01f', odd).fmtp, `level-asymmetry-allowed=1;${mode1('42e01f')}`);
});

test('H265, a clock of another rate and a text that says H264 are not H264', () => {
  const others = offering(mode1('42e01f'), mode1('42e01f'), mode1('42e01f'))
    .replace('96 H264/90000', '96 H265/90000')
    .replace('97 H264/90000', '97 H264/8000')
    .replace('98 H264/90000', '98 VP8/90000\r\na=x-note:H264/90000 packetization-mode=1');
  assert.is(failureOf(() => exchange(others)).message, 'webrtc: codec mismatch -- offer is missing: H264');
  assert.is(exchange(others.replace('97 H264/8000', '97 h264/90000')).plan.media[0]?.payloadType, 97);
});

test('a publisher is asked for constrained baseline if it has it, else for what it likes best', () => {
  const publish = offerOf('chromium-publish');
  assert.is(exchange(publish, { role: 'publish' }).plan.media[1]?.payloadType, 108);
  const high = offerOf('ffmpeg-publish-video');
  const { plan } = exchange(high, { role: 'publish' });
  assert.is(plan.media[0]?.payloadType, 106);
});

// RFC 6184 §6.2: single NAL units can be received by whoever receives fragments.
test('a publisher may send without fragments, where it offers nothing else', () => {
  const publish = offerOf('obs-publish');
  const config = (...fmtp: string[]) => {
    const { answer } = exchange(edit(publish, 'a=fmtp:96', ...fmtp), { role: 'publish' });
    return /(?<=^a=fmtp:96 ).*/m.exec(answer)?.[0];
  };
  assert.is(config('a=fmtp:96 profile-level-id=42e01f'), 'profile-level-id=42e01f');
  assert.is(
    config('a=fmtp:96 profile-level-id=42e01f;packetization-mode=0'),
    'packetization-mode=0;profile-level-id=42e01f',
  );
  assert.is(config(), 'profile-level-id=42000a');
  const interleaved = edit(publish, 'a=fmtp:96', 'a=fmtp:96 profile-level-id=42e01f;packetization-mode=2');
  assert.is(failureOf(() => exchange(interleaved, { role: 'publish' })).code, 'unsupported-offer');
  const both = publish.replace('SAVPF 96', 'SAVPF 97 96');
  const offered = edit(both, 'a=rtpmap:96', 'a=rtpmap:97 H264/90000', 'a=rtpmap:96 H264/90000');
  assert.is(exchange(offered, { role: 'publish' }).plan.media[1]?.payloadType, 96);
});

test.run();

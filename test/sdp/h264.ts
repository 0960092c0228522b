import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { VideoFacts } from '../../src/engine/port.ts';
import { Failure } from '../../src/errors.ts';
import { edit, exchange, failureOf, STREAM } from '../support/exchange.ts';
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

function chosen(known: string | Partial<VideoFacts> | undefined, ...configs: string[]) {
  const facts = typeof known === 'string' ? { profileLevelId: known } : known;
  const video = { active: true, bFrames: false, ...facts };
  const { plan, answer } = exchange(offering(...configs), { stream: { ...STREAM, video } });
  const [fmtp = ''] = /(?<=^a=fmtp:\d+ ).*profile-level-id.*$/m.exec(answer) ?? [];
  return { type: plan.media[0]?.payloadType, fmtp, warning: plan.warnings.join() };
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
  ['f40028', 'f4001f', 'High 4:4:4 Predictive'],
];
for (const [stream, offered, name] of equal) {
  test(`${stream} is ${offered}: ${name}`, () => {
    const others = ['42e01f', '42001f', '4d001f', '64001f', '64081f', '640c1f', 'f4001f', '58001f'].map(mode1);
    const different = others.filter((each) => !isExact(stream, each));
    const { type, fmtp, warning } = chosen(stream, ...different, mode1(offered));
    assert.is(type, 96 + different.length);
    assert.is(fmtp, `packetization-mode=1;profile-level-id=${offered}`);
    assert.is(warning, '');
    assert.is(different.length, 7);
  });
}

test('packetization-mode 0, stated or implied, is not what is sent', () => {
  const zero = ['profile-level-id=42e01f', 'packetization-mode=0;profile-level-id=42e01f'];
  assert.is(chosen('42e01f', ...zero, mode1('42e01f')).type, 98);
  const { code, message, facts } = failureOf(() => chosen('42e01f', ...zero));
  assert.is(code, 'codec-mismatch');
  assert.is(message, 'webrtc: codec mismatch -- offer is missing: H264');
  assert.equal(facts.missing, ['H264']);
});

test('before the first SPS the stream counts as constrained baseline', () => {
  assert.is(chosen(undefined, mode1('64001f'), mode1('42001f'), mode1('42e01f')).type, 98);
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

test('nothing decodes the stream: a mismatch, and the cure for who runs the server', () => {
  const { code, message, facts } = failureOf(() => chosen('640028', mode1('42e01f'), mode1('4d001f'), mode1('42001f')));
  assert.equal([code, message], ['codec-mismatch', 'webrtc: codec mismatch -- offer is missing: H264']);
  const [warning = '', ...more] = facts.warnings ?? [];
  assert.match(
    warning,
    'the stream is H264 High, a viewer offers Constrained Baseline, Main, Baseline, which does not',
  );
  assert.match(warning, '-profile:v baseline');
  assert.equal(more, []);
  for (const [stream, offered] of [
    ['58001f', 'f4001f'],
    ['f4001f', '64001f'],
    ['4d001f', '42001f'],
  ] as const) {
    assert.is(failureOf(() => chosen(stream, mode1(offered))).code, 'codec-mismatch', stream);
  }
});

test('bits that the table wants to be 0 change nothing', () => {
  assert.is(chosen('42e51f', mode1('42001f'), mode1('42e01f')).type, 97);
  assert.is(chosen('4d001f', mode1('42e01f'), mode1('4d0f1f')).type, 97);
});

test('more than 8 bits, other chroma and unknown profiles are no High', () => {
  assert.is(chosen('6e0028', mode1('64001f'), mode1('f4001f'), mode1('7a001f')).type, 98);
  assert.is(chosen('7a0028', mode1('64001f'), mode1('6e001f'), mode1('f4001f')).type, 98);
  assert.is(chosen('2c0028', mode1('64001f'), mode1('f4001f')).type, 97);
  for (const [stream, name] of [
    ['6e0028', 'High 10'],
    ['7a0028', 'High 4:2:2'],
    ['760028', 'Unknown'],
  ] as const) {
    const { code, facts } = failureOf(() => chosen(stream, mode1('640c1f'), mode1('64001f')));
    assert.is(code, 'codec-mismatch', stream);
    assert.match(facts.warnings?.[0] ?? '', `H264 ${name}, a viewer offers Constrained High, High`);
  }
});

test('interlaced pictures go to decoders of fields alone', () => {
  assert.is(chosen({ profileLevelId: '640028', interlaced: true }, mode1('640c1f'), mode1('f4001f')).type, 97);
  assert.is(chosen({ profileLevelId: '4d0028', interlaced: true }, mode1('640c1f'), mode1('64001f')).type, 97);
  const { code, facts } = failureOf(() => chosen({ profileLevelId: '640028', interlaced: true }, mode1('640c1f')));
  assert.is(code, 'codec-mismatch');
  assert.match(facts.warnings?.[0] ?? '', 'interlaced H264 High');
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

test.run();

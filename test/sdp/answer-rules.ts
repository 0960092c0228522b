import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StreamFacts } from '../../src/engine/port.ts';
import { checkAnswer } from '../support/answer-rules.ts';
import { edit, exchange, STREAM, STREAMS } from '../support/exchange.ts';
import { h264Facts } from '../support/facts.ts';
import { offerOf } from '../support/offers.ts';

// The checker judges every answer of every test: it has to notice when a rule is broken.
const test = suite('the checker of answers');

const chromium = offerOf('chromium-watch-max-bundle');
const { answer } = exchange(chromium, { playoutDelay: true });
const [session = '', audio = '', video = '', application = ''] = answer.split(/^(?=m=)/m);
const { video: videoFacts, audio: audioFacts } = STREAM;

function broken(text: string, stream: StreamFacts = STREAM): string[] {
  assert.not.equal(text, answer);
  return [...new Set(checkAnswer(chromium, text, stream).map((each) => each.split(':')[0] ?? ''))];
}

test('a good answer breaks nothing', () => {
  assert.equal(checkAnswer(chromium, answer, STREAM), []);
});

const faults: [rule: string, what: string, text: string][] = [
  ['FORM', 'LF', answer.replaceAll('\r\n', '\n')],
  ['FORM', 'no end of line', answer.trimEnd()],
  ['FORM', 'a blank line', answer.replace('t=0 0\r\n', 't=0 0\r\n\r\n')],
  ['FORM', 'no s=', edit(answer, 's=')],
  ['SIZE', 'too long', edit(answer, 'a=group', ...Array(200).fill(`a=x-fill:${'x'.repeat(40)}`))],
  ['S2', 'recvonly', answer.replace('a=sendonly', 'a=recvonly')],
  ['S2', 'no direction', answer.replace('a=sendonly\r\n', '')],
  ['S3', 'a line short', session + audio + video],
  ['S3', 'another order', session + video + audio + application],
  ['S3', 'another mid', answer.replace('a=mid:2', 'a=mid:3')],
  ['S3', 'another proto', answer.replace('m=audio 9 UDP/TLS/RTP/SAVPF', 'm=audio 9 RTP/SAVPF')],
  ['S5', 'no credentials', answer.replaceAll(/a=ice-ufrag.*\r\n/g, '')],
  ['S5', 'a short password', answer.replaceAll(/a=ice-pwd:.*/g, 'a=ice-pwd:short')],
  ['S5', 'no fingerprint', answer.replaceAll(/a=fingerprint.*\r\n/g, '')],
  ['S7', 'a mid too many', answer.replace('BUNDLE 0 1', 'BUNDLE 0 1 2')],
  ['S7', 'a mid too few', answer.replace('BUNDLE 0 1', 'BUNDLE 0')],
  ['S8', 'no group', edit(answer, 'a=group')],
  ['S8', 'another tag', answer.replace('BUNDLE 0 1', 'BUNDLE 1 0')],
  ['S9', 'two passwords', answer.replace(/a=ice-pwd:./, 'a=ice-pwd:Z')],
  [
    'S9',
    'candidates twice',
    session + audio + video.replace('a=mid:1', 'a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=mid:1') + application,
  ],
  ['S10', 'no rtcp-mux', session + audio + edit(video, 'a=rtcp-mux') + application],
  ['S11', 'actpass', answer.replaceAll('a=setup:passive', 'a=setup:actpass')],
  ['S12', 'ice-lite', answer.replace('a=group', 'a=ice-lite\r\na=group')],
  ['S13', 'an ICE option of our own', answer.replace('a=ice-options:trickle', 'a=ice-options:trickle ice2')],
  ['S14', 'no candidates', answer.replaceAll(/a=candidate.*\r\n/g, '')],
  ['S14', 'a malformed candidate', answer.replace(' typ host', '')],
  ['S14', 'IPv6 first', answer.replace(/(a=candidate:1.*\r\n)(a=candidate:2.*\r\n)/, '$2$1')],
  ['S14', 'no end-of-candidates', edit(answer, 'a=end-of-candidates')],
  ['S15', 'tls-id', answer.replace('a=mid:0', 'a=tls-id:aaaaaaaaaaaaaaaaaaaaaa\r\na=mid:0')],
  ['S16', 'no SSRC', answer.replaceAll(/a=ssrc:.*\r\n/g, '')],
  ['S16', 'two CNAMEs', answer.replace('cname:cname', 'cname:other')],
  ['S16', 'no FID group', edit(answer, 'a=ssrc-group')],
  ['S17', 'a format never offered', answer.replaceAll(/\b111\b/g, '112')],
  ['S17', 'no rtpmap', edit(answer, 'a=rtpmap:109')],
  ['S17', 'a stray rtpmap', answer.replace('a=rtpmap:109', 'a=rtpmap:96 VP8/90000\r\na=rtpmap:109')],
  [
    'S17',
    'two codecs',
    answer.replace('SAVPF 111', 'SAVPF 111 0').replace('a=rtpmap:111', 'a=rtpmap:0 PCMU/8000\r\na=rtpmap:111'),
  ],
  ['S17', 'the wrong apt', answer.replace('apt=108', 'apt=102')],
  ['S18', 'a level of our own', answer.replace('42e01f', '42e034')],
  ['S18', 'mode 0', answer.replace('packetization-mode=1', 'packetization-mode=0')],
  ['S18', 'parameter sets', answer.replace('42e01f', '42e01f;sprop-parameter-sets=Z0LAH9k=')],
  [
    'S18',
    "not the stream's profile",
    answer
      .replaceAll(/\b108\b/g, '116')
      .replaceAll(/\b109\b/g, '117')
      .replace('42e01f', '4d001f'),
  ],
  ['S19', 'an unknown parameter', answer.replace('sprop-stereo=1', 'sprop-stereo=1;usedtx=1')],
  ['S19', 'minptime of our own', answer.replace('minptime=10', 'minptime=20')],
  ['S19', 'mono', answer.replace(';sprop-stereo=1', '')],
  ['S20', 'feedback never offered', answer.replace('a=rtcp-fb:108 nack pli', 'a=rtcp-fb:108 nack rpsi')],
  ['S20', 'feedback nobody reads', answer.replace('a=rtcp-fb:108 nack pli', 'a=rtcp-fb:108 goog-remb')],
  ['S21', 'another id', answer.replace('a=extmap:5 ', 'a=extmap:6 ')],
  ['S21', 'no mid', answer.replaceAll(/a=extmap:4 .*\r\n/g, '')],
  ['C1', 'rtcp-mux-only', answer.replace('a=rtcp-mux', 'a=rtcp-mux-only\r\na=rtcp-mux')],
  ['C2', 'bundle-only', answer.replace('a=mid:1', 'a=bundle-only\r\na=mid:1')],
  ['C3', 'rtcp', answer.replace('a=mid:1', 'a=rtcp:9 IN IP4 0.0.0.0\r\na=mid:1')],
  ['C7', 'a codec in a rejected line', answer.replace('m=video 9', 'm=video 0').replace('BUNDLE 0 1', 'BUNDLE 0')],
  ['C10', 'two MediaStreams', answer.replace('a=msid:stream video', 'a=msid:other video')],
  ['C10', 'no MediaStream', answer.replaceAll('a=msid:stream', 'a=msid:-')],
  ['FIT', 'nothing accepted', answer.replaceAll(/^m=(\w+) 9/gm, 'm=$1 0')],
];
for (const [rule, what, text] of faults) {
  test(`${rule}: ${what}`, () => assert.ok(broken(text).includes(rule), broken(text).join()));
}

test('S22: a parameter that was not offered so, is missing, or is of nobody', () => {
  const stream = STREAMS['AV1 Main'] ?? {};
  const av1 = exchange(chromium, { stream }).answer;
  assert.equal(checkAnswer(chromium, av1, stream), []);
  for (const [from, to] of [
    ['level-idx=5', 'level-idx=8'],
    [';tier=0', ''],
    [';tier=0', ';tier=0;x=1'],
    ['AV1/90000', 'AV1/48000'],
  ] as const) {
    assert.match(checkAnswer(chromium, av1.replace(from, to), stream).join(), 'S22: ', to);
  }
});

test('S23 and FIT: a format that fits the stream less than another, and one of another codec', () => {
  const main = exchange(chromium, { stream: STREAMS['AV1 Main'] ?? {} }).answer;
  assert.match(checkAnswer(chromium, main, STREAMS['AV1 High'] ?? {}).join(), 'S23: ');
  assert.match(checkAnswer(chromium, main, STREAMS.VP8 ?? {}).join(), 'FIT: ');
  const sound = exchange(chromium, { stream: STREAMS.PCMU ?? {} }).answer;
  assert.equal(checkAnswer(chromium, sound, STREAMS.PCMU ?? {}), []);
  assert.match(checkAnswer(chromium, sound, STREAMS.PCMA ?? {}).join(), 'FIT: ');
  assert.match(checkAnswer(chromium, sound.replace('PCMU/8000', 'PCMU/8000/2'), STREAMS.PCMU ?? {}).join(), 'S19: ');
});

test('S18: a stream of another profile', () => {
  const main = { ...STREAM, video: h264Facts('4d401f') };
  const faults = checkAnswer(chromium, answer, main);
  assert.ok(faults.every((each) => each.startsWith('S18: ')));
  assert.match(faults[0] ?? '', /116/);
});

test('S18: a stream that a decoder of the answer does not play', () => {
  const bare = chromium.replaceAll(/profile-level-id=(?!42e01f)\w+/g, 'profile-level-id=42e01f');
  const high = (bFrames: boolean) => ({ ...STREAM, video: h264Facts('640028', { bFrames }) });
  assert.match(checkAnswer(bare, exchange(bare).answer, high(true)).join(), /^S18: .* does not play/);
  // The last resort, as long as it is the last.
  assert.equal(checkAnswer(bare, exchange(bare).answer, high(false)), []);
  assert.match(checkAnswer(chromium, answer, high(false)).join(), /^S18: .* 41 plays/);
  const main = bare.replace('42e01f', '4d001f');
  const tampered = exchange(main.replaceAll('42e01f', '4d001f')).answer;
  assert.match(checkAnswer(main, tampered, high(false)).join(), /S18: .* no last resort/);
});

test('FIT: a leg the stream does not have', () => {
  assert.match(
    checkAnswer(chromium, answer, { ...(videoFacts && { video: videoFacts }) }).join(),
    'the stream has no audio',
  );
  assert.match(
    checkAnswer(chromium, answer, { ...(audioFacts && { audio: audioFacts }) }).join(),
    'the stream has no video',
  );
});

test('S7: a line that was not offered, or not in the first group', () => {
  const dead = chromium.replace('m=video 9', 'm=video 0');
  assert.match(checkAnswer(dead, answer, STREAM).join(), 'S7');
  const apart = edit(chromium, 'a=group', 'a=group:BUNDLE 0 2');
  assert.match(checkAnswer(apart, answer, STREAM).join(), 'S7');
});

test.run();

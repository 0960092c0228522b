import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AUDIO_CODECS, VIDEO_CODECS, type VideoCodec } from '../../src/engine/codecs.ts';
import type { StreamFacts } from '../../src/engine/port.ts';
import { Failure } from '../../src/errors.ts';
import { readAnswer } from '../../src/sdp/pull-answer.ts';
import { pullLines, pullMedia, writeOffer } from '../../src/sdp/pull-offer.ts';
import { exchange, failureOf } from '../support/exchange.ts';
import { mutated } from '../support/mutations.ts';
import { rounds } from '../support/rounds.ts';

const test = suite('SDP of a pull');

const VIDEO = { kind: 'video', codec: 'h264' };
const AUDIO = { kind: 'audio', codec: 'opus' };

const lines = pullLines(['video', 'audio']);
const FINGERPRINT = `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`;
const { offer, fragment } = writeOffer(
  lines,
  {
    description: [
      ...['v=0', 'o=rtc 7 0 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=ice-ufrag:8hhY', 'a=ice-pwd:asd88fgpdd777uzjYhagZg'],
      ...['a=setup:actpass', FINGERPRINT, 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:0'],
      ...['a=candidate:1 1 UDP 2122317823 192.0.2.7 50000 typ host', ''],
    ].join('\r\n'),
  },
  ['127.0.0.1'],
);

/** As Pion, and so MediaMTX, answers: the role as it is by default, several formats, candidates of every kind. */
const PION = [
  'v=0',
  'o=- 4215775240449105457 1648540 IN IP4 0.0.0.0',
  's=-',
  't=0 0',
  'a=msid-semantic:WMS*',
  FINGERPRINT,
  'a=extmap-allow-mixed',
  'a=group:BUNDLE 0 1',
  'm=video 9 UDP/TLS/RTP/SAVPF 96 97',
  'c=IN IP4 0.0.0.0',
  'a=setup:active',
  'a=mid:0',
  'a=ice-ufrag:nNpXhcXrjqdxaNXG',
  'a=ice-pwd:sHgpbkvfhTBYXhRyqVUOBFJxgFNHQxPa',
  'a=rtcp-mux',
  'a=rtcp-rsize',
  'a=rtpmap:96 H264/90000',
  'a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
  'a=rtcp-fb:96 nack ',
  'a=rtpmap:97 H264/90000',
  'a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f',
  'a=ssrc:2231627014 cname:pion',
  'a=ssrc:2231627014 msid:pion video',
  'a=msid:pion video',
  'a=sendonly',
  'a=candidate:233762139 1 udp 2130706431 192.0.2.9 8189 typ host ufrag nNpXhcXrjqdxaNXG',
  'a=candidate:233762139 2 udp 2130706431 192.0.2.9 8189 typ host',
  'a=candidate:1 1 tcp 1671430143 192.0.2.9 8189 typ host tcptype passive',
  'a=candidate:2 1 udp 1671430143 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 8189 typ host',
  'a=end-of-candidates',
  'm=audio 9 UDP/TLS/RTP/SAVPF 113',
  'c=IN IP4 0.0.0.0',
  'a=setup:active',
  'a=mid:1',
  'a=ice-ufrag:nNpXhcXrjqdxaNXG',
  'a=ice-pwd:sHgpbkvfhTBYXhRyqVUOBFJxgFNHQxPa',
  'a=rtcp-mux',
  'a=rtpmap:113 opus/48000/2',
  'a=fmtp:113 minptime=10;useinbandfec=1',
  'a=ssrc:1180700 cname:pion',
  'a=sendonly',
  '',
].join('\r\n');

test('our own server takes the offer', () => {
  const { plan } = exchange(offer);
  assert.equal(
    plan.media.map(({ kind, payloadType, nack }) => [kind, payloadType, nack]),
    [
      ['video', 96, true],
      ['audio', 113, true],
    ],
  );
  assert.equal(plan.remote.candidates.map(({ ip, port }) => `${ip} ${port}`).sort(), [
    '127.0.0.1 50000',
    '192.0.2.7 50000',
  ]);
  assert.is(plan.remote.setup, 'active');
});

test('the engine gets the same sections, without a transport', () => {
  const [video, audio] = pullMedia(lines);
  assert.match(video?.description ?? '', /^m=video 9 UDP\/TLS\/RTP\/SAVPF 96 97 98 .*\r\n/);
  assert.match(audio?.description ?? '', /^m=audio 9 UDP\/TLS\/RTP\/SAVPF 113 9 0 8 .*\r\n/);
  assert.not.match(`${video?.description}${audio?.description}`, /ice-|fingerprint|setup|candidate/);
});

test('the fragment says that nothing follows, with the credentials of the offer', () => {
  assert.is(
    fragment,
    [
      ...['a=ice-ufrag:8hhY', 'a=ice-pwd:asd88fgpdd777uzjYhagZg', 'm=video 9 UDP/TLS/RTP/SAVPF 0', 'a=mid:0'],
      ...['a=end-of-candidates', ''],
    ].join('\r\n'),
  );
});

test("Pion's answer is taken: only what was offered is left of it, and the role that the offer leaves", () => {
  const { answer, legs } = readAnswer(PION, lines);
  assert.equal(legs, [VIDEO, AUDIO]);
  assert.equal(answer.match(/^a=candidate:.*/gm), ['a=candidate:233762139 1 udp 2130706431 192.0.2.9 8189 typ host']);
  assert.equal(answer.match(/^m=.*/gm), ['m=video 9 UDP/TLS/RTP/SAVPF 96 97', 'm=audio 9 UDP/TLS/RTP/SAVPF 113']);
  assert.equal(answer.match(/^a=ssrc:.*/gm), ['a=ssrc:2231627014 cname:0', 'a=ssrc:1180700 cname:1']);
  assert.equal(answer.match(/^a=setup:.*/gm), ['a=setup:passive', 'a=setup:passive']);
  assert.not.match(answer, /pion|msid/);
});

test('an answer need not announce its SSRCs (RFC 9143 §9.2)', () => {
  const { answer, legs } = readAnswer(PION.replaceAll(/a=ssrc:.*\r\n/g, ''), lines);
  assert.equal(legs, [VIDEO, AUDIO]);
  assert.not.match(answer, /a=ssrc/);
});

test('a rejected line stays in its place', () => {
  const rejected = PION.replace(/m=audio 9 .*/s, 'm=audio 0 UDP/TLS/RTP/SAVPF 0\r\n').replace('BUNDLE 0 1', 'BUNDLE 0');
  const { answer, legs } = readAnswer(rejected, lines);
  assert.equal(legs, [VIDEO]);
  assert.equal(answer.match(/^(m=.*|a=group.*|a=inactive)/gm), [
    'a=group:BUNDLE 0',
    'm=video 9 UDP/TLS/RTP/SAVPF 96 97',
    'm=audio 0 UDP/TLS/RTP/SAVPF 0',
    'a=inactive',
  ]);
});

test('the reason names the line, and that it is an answer', () => {
  const { code, message } = failureOf(() => readAnswer(PION.replace('a=sendonly', 'a=recvonly'), lines));
  assert.is(code, 'invalid-answer');
  assert.is(
    message,
    `the other server's answer is invalid: the m-line is recvonly and must be sendonly; line 25: "a=recvonly"`,
  );
});

test('every codec is asked for, under numbers that nobody else has, and a stream of any is watched by it', () => {
  const formats = lines.flatMap((line) => line.formats);
  const types = formats.map(({ payloadType }) => payloadType);
  assert.equal([...new Set(formats.map(({ codec }) => codec))], [...VIDEO_CODECS, ...AUDIO_CODECS]);
  assert.is(new Set(types).size, types.length);
  assert.ok(
    types.every((type) => [0, 8, 9].includes(type) || (type >= 96 && type <= 127) || (type >= 35 && type <= 63)),
  );
  const video = (codec: VideoCodec, parameters: Record<string, string>): StreamFacts => ({
    video: { active: true, codec, parameters, bFrames: false },
  });
  const streams = [
    ...['0', '1', '2', '3'].map((profile) => video('vp9', { 'profile-id': profile })),
    ...['0', '1', '2'].map((profile) => video('av1', { profile })),
    ...['1', '2'].flatMap((profile) =>
      ['0', '1'].map((tier) => video('h265', { 'profile-id': profile, 'tier-flag': tier })),
    ),
    video('vp8', {}),
    ...(['g722', 'pcmu', 'pcma'] as const).map((codec) => ({ audio: { active: true, codec, channels: 1 } })),
    ...[3, 4, 5, 6, 7, 8].map((channels) => ({ audio: { active: true, codec: 'multiopus' as const, channels } })),
  ];
  for (const stream of streams) {
    const { plan, answer } = exchange(offer, { stream });
    assert.equal(plan.warnings, []);
    const [leg] = readAnswer(answer, lines).legs;
    const [{ kind, codec, channels } = { channels: undefined }] = plan.media;
    assert.equal(leg, { kind, codec, ...(channels && { channels }) });
    assert.is(channels, codec === 'multiopus' ? stream.audio?.channels : undefined);
  }
});

test('the leg is what its first payload type was offered for, and of that codec alone', () => {
  const vp9 = lines[0]?.formats.find(({ codec }) => codec === 'vp9')?.payloadType ?? 0;
  const answered = (formats: string, map: string) =>
    PION.replace('SAVPF 96 97', `SAVPF ${formats}`).replace('a=mid:0', `a=mid:0\r\na=rtpmap:${map}`);
  const { answer, legs } = readAnswer(answered(`${vp9} 96`, `${vp9} VP9/90000`), lines);
  assert.equal(legs[0], { kind: 'video', codec: 'vp9' });
  assert.match(answer, `m=video 9 UDP/TLS/RTP/SAVPF ${vp9}\r\n`);
  assert.not.match(answer, 'H264');
  for (const [formats, map] of [
    ['98', '98 VP9/90000'],
    [`${vp9}`, `${vp9} VP8/90000`],
    [`${vp9}`, `${vp9} VP9/48000`],
    [`${vp9} 98`, `${vp9} VP9/90000\r\na=rtpmap:98 AV1/90000`],
  ] as const) {
    assert.is(failureOf(() => readAnswer(answered(formats, map), lines)).code, 'invalid-answer', map);
  }
});

test('sound under a static number needs no rtpmap, and has one channel', () => {
  const answered = (type: number, ...map: string[]) =>
    PION.replace('SAVPF 113', `SAVPF ${type}`).replace('a=rtpmap:113 opus/48000/2\r\n', map.join('\r\n'));
  assert.equal(readAnswer(answered(8), lines).legs[1], { kind: 'audio', codec: 'pcma' });
  assert.equal(readAnswer(answered(0, 'a=rtpmap:0 PCMU/8000/1', ''), lines).legs[1]?.codec, 'pcmu');
  for (const map of ['PCMA/8000', 'PCMU/8000/2']) {
    assert.is(failureOf(() => readAnswer(answered(0, `a=rtpmap:0 ${map}`, ''), lines)).code, 'invalid-answer');
  }
});

test('a mutated answer is refused, or reduced to what was offered', () => {
  const offered = new Set(lines.flatMap(({ formats }) => formats.map(({ payloadType }) => String(payloadType))));
  fc.assert(
    fc.property(mutated([PION]), (sdp) => {
      let answer = '';
      try {
        ({ answer } = readAnswer(sdp, lines));
      } catch (error) {
        assert.ok(error instanceof Failure, String(error));
        assert.is(error.code, 'invalid-answer');
        return;
      }
      for (const [, formats = ''] of answer.matchAll(/^m=\w+ 9 \S+ (.*)$/gm)) {
        assert.ok(
          formats.split(' ').every((format) => offered.has(format)),
          formats,
        );
      }
      // Whole lines: names and passwords may be any of these words.
      assert.not.match(answer, /^a=(candidate:.*(\.local| tcp) .*|sendrecv|recvonly|setup:active)\r?$/im);
    }),
    { numRuns: rounds(2000) },
  );
});

test.run();

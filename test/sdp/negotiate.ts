import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StreamFacts } from '../../src/engine/port.ts';
import { checkAnswer } from '../support/answer-rules.ts';
import { edit, exchange, failureOf, STREAM } from '../support/exchange.ts';
import { offerOf } from '../support/offers.ts';

const test = suite('negotiation');

const chromium = offerOf('chromium-watch');
const draft = offerOf('whep-draft-watch');
const firefox = offerOf('firefox-watch');
const publish = offerOf('chromium-publish');
const { video, audio } = STREAM;
const videoAlone: StreamFacts = { ...(video && { video }) };
const audioAlone: StreamFacts = { ...(audio && { audio }) };

/** The m-lines of an SDP, and the mids of its BUNDLE group. */
function outline(sdp: string): string[] {
  return sdp.match(/^(m=\S+ \d+|a=group:BUNDLE.*)/gm) ?? [];
}

/** The answer, judged by the rules. */
function answerTo(offer: string, options: Parameters<typeof exchange>[1] = {}): string {
  const { answer } = exchange(offer, options);
  assert.equal(checkAnswer(offer, answer, options.stream ?? STREAM, options.role), []);
  return answer;
}

test('what the stream carries is accepted, in place', () => {
  assert.equal(outline(answerTo(chromium)), ['a=group:BUNDLE 0 1', 'm=video 9', 'm=audio 9']);
  assert.equal(outline(answerTo(offerOf('chromium-watch-max-bundle'))), [
    'a=group:BUNDLE 0 1',
    'm=audio 9',
    'm=video 9',
    'm=application 0',
  ]);
});

test('the tag moves when the first line is rejected (RFC 9143 §7.3.1)', () => {
  const answer = answerTo(chromium, { stream: audioAlone });
  assert.equal(outline(answer), ['a=group:BUNDLE 1', 'm=video 0', 'm=audio 9']);
});

test('a bundle-only line is accepted; alone it has the transport it was bundled with', () => {
  assert.equal(outline(answerTo(draft)), ['a=group:BUNDLE 0 1', 'm=audio 9', 'm=video 9']);
  const { plan } = exchange(draft, { stream: videoAlone });
  assert.is(plan.tag, '1');
  assert.match(plan.offer, '\r\na=ice-ufrag:zjkk\r\n');
  assert.match(plan.offer, 'm=video 9 ');
  answerTo(draft, { stream: videoAlone });
});

test('a bundle-only line is never the tag of others (RFC 9143 §7.3.1)', () => {
  const reordered = edit(draft, 'a=group', 'a=group:BUNDLE 1 0');
  assert.equal(outline(answerTo(reordered)), ['a=group:BUNDLE 0 1', 'm=audio 9', 'm=video 9']);
});

test('a bundle without any transport is refused', () => {
  const none = edit(draft, 'm=audio', 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel');
  const stripped = ['a=ice-', 'a=fingerprint', 'a=setup'].reduce((sdp, start) => edit(sdp, start), none);
  const { code, message } = failureOf(() => exchange(stripped));
  assert.is(code, 'invalid-offer');
  assert.match(message, /no line of the bundle has a transport .*"m=video/);
});

// RFC 8829 §5.3.1: max-bundle.
test("lines outside the first line's group are rejected", () => {
  for (const group of [['a=group:BUNDLE 0'], ['a=group:BUNDLE 0', 'a=group:BUNDLE 1'], ['a=group:LS 0 1'], []]) {
    const offer = edit(chromium, 'a=group', ...group);
    const { code, facts, message } = failureOf(() => exchange(offer));
    assert.is(code, 'codec-mismatch');
    assert.equal(facts.missing, ['Opus']);
    assert.match(message, /^webrtc: codec mismatch -- (?!offer is missing).*mid 1 .*outside the BUNDLE group/);
    const bundle = group[0]?.includes('BUNDLE') ? ['a=group:BUNDLE 0'] : [];
    assert.equal(outline(answerTo(offer, { complete: false })), [...bundle, 'm=video 9', 'm=audio 0']);
  }
  // FFmpeg lists a mid that no line has.
  assert.equal(outline(answerTo(edit(chromium, 'a=group', 'a=group:BUNDLE 0 1 2'))).length, 3);
});

// RFC 9143 §7.2: mids are for groups.
test('a line without a mid is a line like any other outside a group', () => {
  const bare = edit(edit(chromium, 'a=group'), 'a=mid:');
  const { answer, plan } = exchange(bare, { complete: false });
  assert.equal(checkAnswer(bare, answer, STREAM), []);
  assert.equal(outline(answer), ['m=video 9', 'm=audio 0']);
  assert.not.match(answer, /a=mid:|sdes:mid/);
  assert.match(plan.offer, `\r\na=mid:${plan.tag}\r\n`);
  assert.equal([plan.media[0]?.mid, plan.media[0]?.extensions], [plan.tag, {}]);
  assert.match(failureOf(() => exchange(bare)).message, /audio m-line without a mid is outside the BUNDLE group/);
  const [session = '', video = ''] = bare.split(/^(?=m=)/m);
  assert.equal(outline(answerTo(session + video, { stream: videoAlone })), ['m=video 9']);
});

test('a line that goes the other way is rejected alone: the rest is watched', () => {
  const [session = '', video = '', audio = ''] = chromium.split(/^(?=m=)/m);
  const group = session.replace('BUNDLE 0 1', 'BUNDLE 0 1 m');
  const microphone = edit(audio, 'a=mid:1', 'a=mid:m').replace('a=recvonly', 'a=sendonly');
  assert.equal(outline(answerTo(`${group}${video}${audio}${microphone}`)), [
    'a=group:BUNDLE 0 1',
    'm=video 9',
    'm=audio 9',
    'm=audio 0',
  ]);
  assert.equal(outline(answerTo(`${group}${microphone}${video}${audio}`)), [
    'a=group:BUNDLE 0 1',
    'm=audio 0',
    'm=video 9',
    'm=audio 9',
  ]);
  // It may be odd, and outside the bundle.
  const odd = microphone.replace('a=sendonly', 'a=inactive').replace(/a=(fingerprint|rtcp-mux|ice-ufrag).*\r\n/g, '');
  assert.equal(outline(answerTo(`${session}${odd}${video}${audio}`)).length, 4);
  // A max-bundle client has one transport, wherever it stands.
  const only = (section: string) =>
    section
      .replace(/(?<=^m=\w+ )9/, '0')
      .replace(/a=(ice-|fingerprint|setup|candidate).*\r\n/g, '')
      .replace('a=mid', 'a=bundle-only\r\na=mid');
  assert.equal(outline(answerTo(`${group}${microphone}${only(video)}${only(audio)}`)).slice(1), [
    'm=audio 0',
    'm=video 9',
    'm=audio 9',
  ]);
});

test('who declines a kind is told so where all of it is wanted', () => {
  const [session = '', video = '', audio = ''] = chromium.split(/^(?=m=)/m);
  const declined = `${session}${video}${audio.replace('a=recvonly', 'a=inactive')}`;
  assert.match(
    failureOf(() => exchange(declined)).message,
    /^webrtc: codec mismatch -- (?!offer is missing).*mid 1 is inactive/,
  );
  assert.equal(outline(answerTo(declined, { complete: false })), ['a=group:BUNDLE 0', 'm=video 9', 'm=audio 0']);
  assert.equal(outline(answerTo(declined, { stream: videoAlone })), ['a=group:BUNDLE 0', 'm=video 9', 'm=audio 0']);
});

test('a publisher may keep a line for itself', () => {
  const [session = '', audio = '', video = ''] = publish.split(/^(?=m=)/m);
  for (const direction of ['inactive', 'recvonly']) {
    const offer = `${session}${audio}${video.replace('a=sendonly', `a=${direction}`)}`;
    assert.equal(outline(answerTo(offer, { role: 'publish' })), ['a=group:BUNDLE 0', 'm=audio 9', 'm=video 0']);
  }
});

test('port 0 without bundle-only is no line, and the first live line leads', () => {
  const dead = chromium.replace('m=video 9', 'm=video 0');
  assert.equal(outline(answerTo(dead, { stream: audioAlone })), ['a=group:BUNDLE 1', 'm=video 0', 'm=audio 9']);
  // RFC 9143 §6: bundle-only means nothing outside a group.
  const loose = edit(edit(dead, 'a=group'), 'a=mid:0', 'a=mid:0', 'a=bundle-only');
  assert.equal(outline(answerTo(loose, { stream: audioAlone })), ['m=video 0', 'm=audio 9']);
});

test('the first line that can carry a leg takes it', () => {
  const [session = '', video = '', audio = ''] = chromium.split(/^(?=m=)/m);
  const vp8 = edit(video, 'm=video', 'm=video 9 UDP/TLS/RTP/SAVPF 96 97').replace('a=mid:0', 'a=mid:v');
  const again = video.replace('a=mid:0', 'a=mid:w');
  const offer = `${session.replace('0 1', 'v 0 w 1 x')}${vp8}${video}${again}${audio}${audio.replace('a=mid:1', 'a=mid:x')}`;
  assert.equal(outline(answerTo(offer)), [
    'a=group:BUNDLE 0 1',
    'm=video 0',
    'm=video 9',
    'm=video 0',
    'm=audio 9',
    'm=audio 0',
  ]);
});

test('the answer repeats the offered proto; the engine is told the real one', () => {
  for (const proto of ['RTP/AVP', 'RTP/AVPF', 'RTP/SAVP', 'RTP/SAVPF', 'UDP/TLS/RTP/SAVP', 'TCP/DTLS/RTP/SAVPF']) {
    const offer = chromium.replaceAll('UDP/TLS/RTP/SAVPF', proto);
    assert.match(answerTo(offer), `m=video 9 ${proto} 108 109\r\n`);
    assert.match(exchange(offer).plan.offer, 'm=video 9 UDP/TLS/RTP/SAVPF 108 109\r\n');
  }
  assert.is(failureOf(() => exchange(chromium.replaceAll('UDP/TLS', 'QUIC/TLS'))).code, 'codec-mismatch');
});

test('codec mismatch: what is missing, in this order', () => {
  const missing = (offer: string, options: Parameters<typeof exchange>[1] = {}) =>
    failureOf(() => exchange(offer, options)).message;
  const noH264 = chromium.replaceAll('H264', 'H263');
  const noOpus = chromium.replaceAll('opus', 'speex');
  const neither = noH264.replaceAll('opus', 'speex');
  assert.is(missing(noH264), 'webrtc: codec mismatch -- offer is missing: H264');
  assert.is(missing(noOpus), 'webrtc: codec mismatch -- offer is missing: Opus');
  assert.is(missing(neither), 'webrtc: codec mismatch -- offer is missing: H264, Opus');
  assert.is(missing(neither, { complete: false }), 'webrtc: codec mismatch -- offer is missing: H264, Opus');
  assert.is(
    missing(noOpus, { stream: audioAlone, complete: false }),
    'webrtc: codec mismatch -- offer is missing: Opus',
  );
  assert.equal(outline(answerTo(noH264, { complete: false })), ['a=group:BUNDLE 1', 'm=video 0', 'm=audio 9']);
  assert.equal(outline(answerTo(noOpus, { complete: false })), ['a=group:BUNDLE 0', 'm=video 9', 'm=audio 0']);
  // A stream needs no codec it does not carry.
  assert.equal(outline(answerTo(noOpus, { stream: videoAlone })).length, 3);
});

test('a rejected line has a kind, a proto, a mid and no codec', () => {
  const offer = offerOf('chromium-watch-max-bundle');
  const [, audio = '', , application = ''] = answerTo(offer, { stream: videoAlone }).split(/^(?=m=)/m);
  assert.match(audio, /^m=audio 0 UDP\/TLS\/RTP\/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\n/);
  assert.match(audio, '\r\na=mid:0\r\n');
  assert.match(audio, '\r\na=inactive\r\n');
  // Some clients look for it in every section, also in one that is refused.
  assert.match(audio, '\r\na=rtcp-mux\r\n');
  assert.match(application, /^m=application 0 UDP\/DTLS\/SCTP webrtc-datachannel\r\n/);
});

test('RTX: the twin of the chosen format, with an SSRC of its own', () => {
  const { plan, answer } = exchange(chromium);
  const [line] = plan.media;
  assert.equal(line?.rtx, { payloadType: 109, ssrc: 1002 });
  assert.is(line?.ssrc, 1001);
  assert.match(line?.description ?? '', '\r\na=ssrc-group:FID 1001 1002\r\n');
  assert.match(line?.description ?? '', '\r\na=fmtp:109 apt=108\r\n');
  const without = exchange(edit(chromium, 'a=fmtp:109', 'a=fmtp:109 apt=120')).plan.media[0];
  assert.is(without?.rtx, undefined);
  assert.not.match(without?.description ?? '', 'FID');
  assert.match(answer, '\r\nm=video 9 UDP/TLS/RTP/SAVPF 108 109\r\n');
});

// RFC 4585 §4.2.
test('feedback: what was offered of NACK, PLI and FIR', () => {
  const feedback = (offer: string) => answerTo(offer).match(/(?<=^a=rtcp-fb:).*/gm) ?? [];
  assert.equal(feedback(chromium), ['108 nack', '108 nack pli', '108 ccm fir']);
  assert.equal(feedback(draft), ['108 nack', '108 nack pli']);
  assert.equal(feedback(edit(chromium, 'a=rtcp-fb:108 nack')), ['108 ccm fir']);
  // As Pion writes it.
  assert.is(exchange(edit(chromium, 'a=rtcp-fb:108 nack', 'a=rtcp-fb:108 nack ')).plan.media[0]?.nack, true);
  assert.is(exchange(edit(chromium, 'a=rtcp-fb:108 nack')).plan.media[0]?.nack, false);
  const withAudio = edit(chromium, 'a=rtcp-fb:111', 'a=rtcp-fb:111 nack');
  assert.equal(feedback(withAudio), ['108 nack', '108 nack pli', '108 ccm fir', '111 nack']);
  assert.is(exchange(withAudio).plan.media[1]?.nack, true);
});

// RFC 8285 §6.
test('header extensions: mid and abs-capture-time when offered, playout-delay when wanted', () => {
  const extensions = (offer: string, options: Parameters<typeof exchange>[1] = {}) => {
    answerTo(offer, options);
    return exchange(offer, options).plan.media.map((line) => line.extensions);
  };
  assert.equal(extensions(chromium), [{ mid: 9 }, { mid: 9 }]);
  assert.equal(extensions(chromium, { playoutDelay: true }), [{ mid: 9, playoutDelay: 5 }, { mid: 9 }]);
  assert.equal(extensions(offerOf('safari-watch')), [{ mid: 4 }, { mid: 4, absCaptureTime: 12 }]);
  assert.equal(extensions(offerOf('gstreamer-watch')), [{}, {}]);
  // The direction is the other way round in the answer; what the client alone sends is not for this server.
  assert.equal(extensions(draft, { playoutDelay: true }), [{ mid: 4 }, { mid: 4, absCaptureTime: 9 }]);
  assert.match(answerTo(draft), 'a=extmap:9/sendonly http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time');
  // Two-byte ids, and mids that do not fit the one-byte form, are not written.
  assert.equal(extensions(chromium.replaceAll('a=extmap:9 ', 'a=extmap:15 ')), [{}, {}]);
  const long = 'm'.repeat(17);
  const named = edit(edit(chromium, 'a=mid:0', `a=mid:${long}`), 'a=group', `a=group:BUNDLE ${long} 1`);
  assert.equal(extensions(named), [{}, { mid: 9 }]);
  const bySession = edit(edit(chromium, 'a=extmap:9'), 't=', 't=0 0', 'a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid');
  assert.equal(extensions(bySession), [{ mid: 9 }, { mid: 9 }]);
});

// RFC 7587 §7.1.
test('Opus: known parameters alone, and stereo as the stream has it', () => {
  const config = (offer: string, channels?: 1 | 2) => {
    const stream = { ...STREAM, audio: { active: true, codec: 'opus' as const, ...(channels && { channels }) } };
    return /(?<=^a=fmtp:111 ).*/m.exec(answerTo(offer, { stream }))?.[0];
  };
  const offered = 'maxplaybackrate=48000; MINPTIME=20; useinbandfec=1; usedtx=1; x-google-min-bitrate=1';
  const offer = edit(chromium, 'a=fmtp:111', `a=fmtp:111 ${offered}`);
  assert.is(config(offer, 2), 'minptime=20;useinbandfec=1;stereo=1;sprop-stereo=1');
  assert.is(config(offer), 'minptime=20;useinbandfec=1;stereo=1;sprop-stereo=1');
  assert.is(config(offer, 1), 'minptime=20;useinbandfec=1');
  assert.is(config(edit(chromium, 'a=fmtp:111'), 1), undefined);
  assert.is(config(edit(chromium, 'a=fmtp:111', 'a=fmtp:111 useinbandfec=yes;minptime=;__proto__=1'), 1), undefined);
  const spelled = chromium.replace('opus/48000/2', 'OPUS/48000');
  assert.match(answerTo(spelled), '\r\na=rtpmap:111 opus/48000/2\r\n');
  for (const other of ['opus/48000/1', 'opus/16000/2', 'multiopus/48000/2']) {
    const message = failureOf(() => exchange(chromium.replace('opus/48000/2', other))).message;
    assert.is(message, 'webrtc: codec mismatch -- offer is missing: Opus');
  }
});

test('one MediaStream, one CNAME, a track for each leg', () => {
  const answer = answerTo(chromium, { msid: 'cam1', cname: 'abc' });
  assert.equal(answer.match(/^a=msid:.*/gm), ['a=msid:cam1 video', 'a=msid:cam1 audio']);
  assert.equal(answer.match(/^a=ssrc:.*/gm), [
    'a=ssrc:1001 cname:abc',
    'a=ssrc:1002 cname:abc',
    'a=ssrc:1003 cname:abc',
  ]);
});

test('the client leads DTLS, unless it insists on being led', () => {
  for (const [offered, answered] of [
    ['actpass', 'passive'],
    ['active', 'passive'],
    ['passive', 'active'],
  ] as const) {
    assert.match(answerTo(edit(chromium, 'a=setup', `a=setup:${offered}`)), `\r\na=setup:${answered}\r\n`);
  }
});

test('the engine gets nothing it has no use for', () => {
  const { offer } = exchange(offerOf('chromium-watch-max-bundle')).plan;
  assert.not.match(offer, /VP8|AV1|red|telephone|transport-cc|toffset|\.local|application|rtcp-xr|msid/);
  assert.match(exchange(firefox).plan.offer, 'a=candidate:2 1 UDP 1686052863 192.0.2.44 49203 typ srflx\r\n'.trim());
  assert.not.match(exchange(firefox).plan.offer, /TCP|local/);
  const gstreamer = exchange(offerOf('gstreamer-watch')).plan.offer;
  assert.equal(gstreamer.match(/(?<=typ )host/g)?.length, 2);
  assert.match(gstreamer, '2001:db8::81 51834');
});

test('every line has the transport of the tag, which alone has candidates', () => {
  const [session = '', video = '', audio = ''] = chromium.split(/^(?=m=)/m);
  const own = edit(edit(audio, 'a=ice-ufrag', 'a=ice-ufrag:other'), 'a=setup', 'a=setup:active');
  const { offer } = exchange(`${session}${video}${own}`).plan;
  assert.equal(offer.match(/(?<=^a=ice-ufrag:).*/gm), ['SyId', 'SyId']);
  assert.equal(offer.match(/(?<=^a=setup:).*/gm), ['active', 'active']);
  const moved = exchange(`${session}${video}${own}`, { stream: audioAlone }).plan;
  assert.is(moved.remote.ufrag, 'other');
  assert.equal(moved.offer.match(/(?<=^a=setup:).*/gm), ['active']);
});

test('where the client begins all checks the engine gets no candidate, and the client must be one that does', () => {
  for (const role of ['watch', 'publish'] as const) {
    const offer =
      role === 'watch' ? firefox : edit(publish, 'a=mid:0', 'a=mid:0', 'a=candidate:1 1 UDP 9 192.0.2.7 9 typ host');
    assert.match(exchange(offer, { role }).plan.offer, 'a=candidate:');
    const { plan } = exchange(offer, { role, iceChecks: 'client' });
    assert.not.match(plan.offer, /candidate/);
    assert.ok(plan.remote.candidates.length > 0, 'they are read all the same');
    const lite = edit(offer, 't=', 't=0 0', 'a=ice-lite');
    assert.is(failureOf(() => exchange(lite, { role, iceChecks: 'client' })).code, 'unsupported-offer');
  }
});

test('an ICE-lite client is introduced as one', () => {
  assert.match(exchange(edit(chromium, 't=', 't=0 0', 'a=ice-lite')).plan.offer, '\r\na=ice-lite\r\n');
  assert.not.match(answerTo(edit(chromium, 't=', 't=0 0', 'a=ice-lite')), 'ice-lite');
});

test('a publisher is received as a whole', () => {
  const answer = answerTo(publish, { role: 'publish' });
  assert.equal(outline(answer), ['a=group:BUNDLE 0 1', 'm=audio 9', 'm=video 9']);
  assert.not.match(answer, /msid|ssrc/);
  const { plan } = exchange(publish, { role: 'publish' });
  assert.equal(
    plan.media.map(({ ssrc, rtx }) => ({ ssrc, rtx })),
    [
      { ssrc: 22000456, rtx: undefined },
      { ssrc: 691148456, rtx: undefined },
    ],
  );
  assert.match(plan.offer, '\r\na=ssrc:691148456 cname:1\r\n');
  assert.not.match(plan.offer, '584920015');
});

test('simulcast is not taken up (RFC 8853 §5.3.2): the layers of a publisher are one', () => {
  const layers = ['a=rid:0 send', 'a=rid:1 send', 'a=simulcast:send 0;1'];
  const offer = edit(offerOf('obs-publish'), 'a=mid:1', 'a=mid:1', ...layers);
  assert.not.match(answerTo(offer, { role: 'publish' }), /a=(rid|simulcast)/);
  assert.not.match(exchange(offer, { role: 'publish' }).plan.offer, /a=(rid|simulcast)/);
});

test('a publisher gets feedback on loss, keyframes and its bitrate', () => {
  const answer = answerTo(publish, { role: 'publish' });
  assert.equal(answer.match(/(?<=^a=rtcp-fb:).*/gm), ['108 nack', '108 nack pli', '108 ccm fir', '108 goog-remb']);
});

test('a publisher that says stereo may send stereo', () => {
  const config = (name: string) => /(?<=^a=fmtp:\d+ ).*/m.exec(answerTo(offerOf(name), { role: 'publish' }))?.[0];
  assert.is(config('obs-publish'), 'minptime=10;useinbandfec=1;stereo=1');
  assert.is(config('gstreamer-publish'), 'stereo=1');
  assert.is(config('chromium-publish'), 'minptime=10;useinbandfec=1');
});

// RFC 9725 §4.4.3: no partial answers.
test('a publisher is refused when one of its lines cannot be received', () => {
  const refused = (offer: string) => {
    const { code, message } = failureOf(() => exchange(offer, { role: 'publish' }));
    assert.is(code, 'unsupported-offer');
    return message;
  };
  const strange = publish.replaceAll(/(?<=^a=rtpmap:\d+ )(?!rtx)/gm, 'X-');
  assert.match(refused(strange.replaceAll('X-opus', 'opus')), 'mid 1 offers no H264');
  assert.match(refused(strange), 'mid 0 offers no Opus');
  assert.match(refused(publish.replaceAll('UDP/TLS', 'QUIC/TLS')), 'mid 0 offers no Opus');
  assert.match(refused(edit(publish, 'a=group', 'a=group:BUNDLE 0')), 'mid 1 is outside');
  const [session = ''] = publish.split(/^(?=m=)/m);
  assert.match(refused(`${session}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n`), 'no audio or video');
});

test("a data channel beside a publisher's media is rejected, not fatal", () => {
  const offer = `${publish}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n`;
  assert.equal(outline(answerTo(offer, { role: 'publish' })), [
    'a=group:BUNDLE 0 1',
    'm=audio 9',
    'm=video 9',
    'm=application 0',
  ]);
});

test.run();

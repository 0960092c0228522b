import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { offerCredentials, parseOffer, type Role } from '../../src/sdp/offer.ts';
import { edit, exchange, failureOf } from '../support/exchange.ts';
import { offerOf, offers } from '../support/offers.ts';

const test = suite('parseOffer');

const chromium = offerOf('chromium-watch');
const firefox = offerOf('firefox-watch');
const publish = offerOf('chromium-publish');

function refused(sdp: string, role: Role = 'watch') {
  const { code, message } = failureOf(() => parseOffer(sdp, role));
  return `${code}: ${message}`;
}

/** Addresses and ports of the client that the engine is told. */
function candidatesIn(sdp: string): string[] {
  return exchange(sdp).plan.remote.candidates.map(({ ip, port }) => `${ip} ${port}`);
}

test('what is no session description at all', () => {
  for (const text of ['', 'hello', '{"v":0}', ' v=0\r\n', '\r\nv=0']) {
    assert.is(refused(text), 'invalid-sdp: webrtc: invalid SDP');
  }
});

test('an offer without m-lines', () => {
  assert.match(refused('v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n'), /invalid-offer: .*no m-line/);
});

test('LF ends lines as well, and blank lines at the end are forgiven', () => {
  assert.is(parseOffer(chromium.replaceAll('\r\n', '\n'), 'watch').lines.length, 2);
  assert.is(parseOffer(`${chromium}\r\n\r\n`, 'watch').lines.length, 2);
  assert.is(parseOffer(chromium.trimEnd(), 'watch').lines.length, 2);
});

test('a session line that every description must have', () => {
  for (const start of ['o=', 's=', 't=']) {
    assert.match(refused(edit(chromium, start)), new RegExp(`^invalid-offer: .*no ${start} line`));
  }
});

// RFC 8829 §5.8: one bad line is enough, where it stands for something.
const malformed: [start: string, ...lines: string[]][] = [
  ['v=', 'v=1'],
  ['o=', 'o=- 1 IN IP4 127.0.0.1'],
  ['t=', 't=now'],
  ['t=', 't=0 0', ''],
  ['t=', 't=0 0', 'garbage'],
  ['t=', 't=0 0', 'x=1'],
  ['t=', 't=0 0', 'a=unknown:with a \0'],
  ['t=', 't=0 0', 'a=unknown:with a \r return'],
  ['m=audio', 'm=audio'],
  ['m=audio', 'm=audio 65536x UDP/TLS/RTP/SAVPF 111'],
  ['m=audio', 'm=audio 9/2 UDP/TLS/RTP/SAVPF 111'],
  ['m=audio', 'm=audio 9 UDP//SAVPF 111'],
  ['m=audio', 'm=audio 9 UDP/TLS/RTP/SAVPF'],
  ['m=audio', 'm=audio 9 UDP/TLS/RTP/SAVPF 111  0'],
  ['m=audio', `m=audio 9 ${'A'.repeat(65)} 111`],
  ['a=mid:1', 'a=mid:'],
  ['a=mid:1', 'a=mid'],
  ['a=mid:1', 'a=mid:a b'],
  ['a=mid:1', `a=mid:${'m'.repeat(65)}`],
  ['a=mid:1', 'a=mid:1', 'a=mid:1'],
  ['a=recvonly', 'a=recvonly', 'a=sendrecv'],
  ['a=setup', 'a=setup:whatever'],
  ['a=setup', 'a=setup:actpass', 'a=setup:actpass'],
  ['a=ice-ufrag', 'a=ice-ufrag:abc'],
  ['a=ice-ufrag', 'a=ice-ufrag:a-bcd'],
  ['a=ice-ufrag', `a=ice-ufrag:${'a'.repeat(257)}`],
  ['a=ice-pwd', 'a=ice-pwd:tooshorttooshorttoosh'],
  ['a=ice-pwd', `a=ice-pwd:${'a'.repeat(257)}`],
  ['a=fingerprint', 'a=fingerprint:sha-256'],
  ['a=fingerprint', 'a=fingerprint:sha-256 0G:00'],
  ['a=fingerprint', 'a=fingerprint:sha-256 00:11:22'],
  ['a=rtpmap:111', 'a=rtpmap:111 opus'],
  ['a=rtpmap:111', 'a=rtpmap:111 opus/48000/2', 'a=rtpmap:111 opus/48000/2'],
  ['a=fmtp:111', 'a=fmtp:111 stereo=1', 'a=fmtp:111 stereo=0'],
  ['a=extmap:14', 'a=extmap:9 urn:x'],
];
for (const [start, ...lines] of malformed) {
  test(`malformed: ${JSON.stringify(lines.join(' | ')).slice(0, 60)}`, () => {
    const { code, message } = failureOf(() => exchange(edit(chromium, start, ...lines)));
    assert.is(code, 'invalid-offer');
    assert.match(message, /^webrtc: invalid offer: .+; line \d+: "/);
  });
}

/** How the media of an offer is answered, but for what is random. */
function accepted(sdp: string) {
  return exchange(sdp).plan.media.map(({ kind, mid, payloadType, nack }) => ({ kind, mid, payloadType, nack }));
}

// The engine is given a text written anew, so that none of these can reach it.
const harmless: [what: string, ...edit: [start: string, ...lines: string[]]][] = [
  ['no session name', 's=', 's='],
  ['a blank as session name', 's=', 's= '],
  ['two origins', 't=', 't=0 0', 'o=- 1 1 IN IP4 127.0.0.1'],
  ['c= behind t=', 't=', 't=0 0', 'c=IN IP4 0.0.0.0'],
  ['an attribute before t=', 't=', 'a=x-early', 't=0 0'],
  ['attributes without a name', 't=', 't=0 0', 'a=', 'a=:value'],
  ['an unknown attribute with a blank in its name', 't=', 't=0 0', 'a=x y:z', 'a= '],
  ['no c= at all', 'c='],
  ['a c= of another kind', 'c=', 'c=IN IP5 0.0.0.0'],
  ['c= behind attributes', 'a=mid:0', 'a=mid:0', 'c=IN IP4 0.0.0.0'],
  ['a title behind c=', 'c=', 'c=IN IP4 0.0.0.0', 'i=late', 'i='],
  ['b= before c=', 'c=', 'b=AS:500', 'c=IN IP4 0.0.0.0'],
  ['b= behind attributes', 'a=mid:0', 'a=mid:0', 'b=AS:500', 'b=AS'],
  ['a value for a property', 'a=rtcp-mux', 'a=rtcp-mux:yes'],
  ['no ICE options', 'a=ice-options', 'a=ice-options:'],
  ['an empty group', 'a=group', 'a=group:', 'a=group:BUNDLE 0 1'],
  ['another codec without parameters', 'a=fmtp:97', 'a=fmtp:97 '],
  ['another codec described twice', 'a=fmtp:97', 'a=fmtp:97 apt=96', 'a=fmtp:97 apt=96'],
  ['another codec without a clock', 'a=rtpmap:96', 'a=rtpmap:96 VP8'],
  ['an rtpmap of a format that is not offered', 'a=rtpmap:111', 'a=rtpmap:111 opus/48000/2', 'a=rtpmap:7 opus'],
  ['feedback for nothing', 'a=mid:1', 'a=mid:1', 'a=rtcp-fb:x nack', 'a=rtcp-fb'],
  ['extensions without a name', 'a=mid:1', 'a=mid:1', 'a=extmap:14', 'a=extmap:14/upwards urn:x', 'a=extmap'],
  ['odd SSRCs', 'a=mid:1', 'a=mid:1', 'a=ssrc:x', 'a=ssrc-group', 'a=msid:'],
  ['odd times', 'a=mid:1', 'a=mid:1', 'a=ptime:x', 'a=ptime:x', 'a=rtcp:here'],
];
for (const [what, ...change] of harmless) {
  test(`harmless: ${what}`, () => {
    const odd = edit(chromium, ...change);
    assert.not.equal(odd, chromium);
    assert.equal(accepted(odd), accepted(chromium));
  });
}

test('harmless: blanks at the end of lines', () => {
  assert.equal(accepted(chromium.replaceAll(/(?<=^(a|c|m)=.*)\r$/gm, ' \t\r')), accepted(chromium));
});

test('of candidates the malformed ones are passed over, each for itself', () => {
  const odd = [
    'a=candidate',
    'a=candidate:1 1 udp 1 192.0.2.1',
    'a=candidate:1 1 udp 1 192.0.2.1 99999 typ host',
    'a=candidate:1 1 udp 0 192.0.2.1 9 typ host',
    'a=candidate:1 1 udp 4294967295 192.0.2.1 9 typ host',
    'a=candidate:1 0 udp 1 192.0.2.1 9 typ host',
    `a=candidate:${'1'.repeat(33)} 1 udp 1 192.0.2.1 9 typ host`,
    'a=candidate:1 1 udp 1  9 typ host',
  ];
  const good = [
    'a=candidate:1 1 udp 1 192.0.2.7 5000 typ host generation 0 ',
    'a=candidate:1 1 udp 1 192.0.2.7 5001 typ host generation',
  ];
  const offer = edit(edit(chromium, 'a=candidate'), 'a=mid:0', 'a=mid:0', ...odd, ...good);
  assert.equal(candidatesIn(offer), ['192.0.2.7 5000', '192.0.2.7 5001']);
});

test('a bad line is named with its number', () => {
  const broken = edit(chromium, 'a=setup', 'a=setup:whatever');
  const number = broken.split('\r\n').indexOf('a=setup:whatever') + 1;
  assert.ok(refused(broken).endsWith(`malformed a=setup; line ${number}: "a=setup:whatever"`), refused(broken));
});

test('a line that is none is shown as it came', () => {
  assert.ok(refused(edit(chromium, 't=', 't=0 0', 'garbage')).endsWith('line 5: "garbage"'));
  assert.ok(refused(edit(chromium, 't=', 't=0 0', '')).endsWith('line 5: ""'));
});

test('no password is repeated', () => {
  const message = refused(edit(chromium, 'a=ice-pwd', 'a=ice-pwd:secret'));
  assert.match(message, 'a=ice-pwd:...');
  assert.not.match(message, 'secret');
});

test("unknown attributes and useless candidates are nobody's fault", () => {
  const extra = ['a=x-unknown', 'a=x-unknown:value', 'a=x-unknown:again', 'a=sctpmap:nonsense', 'a=rid:!!'];
  const candidates = [
    'a=candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active',
    'a=candidate:1 1 udp 1 host.example.com 9 typ host',
    'a=candidate:1 2 udp 1 192.0.2.1 9 typ host',
    'a=candidate:1 1 sctp 1 192.0.2.1 9 typ host',
    'a=candidate:1 1 udp 1 fe80::1%eth0 9 typ host',
    'a=candidate:1 1 udp 1 0.0.0.0 9 typ host',
    'a=candidate:1 1 udp 1 224.0.0.1 9 typ host',
    'a=candidate:1 1 udp 1 192.0.2.1 0 typ host',
    'a=candidate:1 1 udp 1 192.0.2.1 9 typ magic',
    'a=candidate:1 1 udp 1 192.0.2.1 4242 typ srflx raddr 10.0.0.1 rport 9 generation 0 ufrag abcd network-cost 10',
    'a=candidate:9 1 UDP 1 192.0.2.1 4242 typ host',
  ];
  assert.equal(candidatesIn(edit(chromium, 'a=mid:0', 'a=mid:0', ...extra, ...candidates)), ['192.0.2.1 4242']);
});

// S1: draft-ietf-wish-whep §4.3.6 and RFC 9725 §4.2.
test('directions: an offer whose media all goes the wrong way is refused', () => {
  for (const direction of ['sendonly', 'inactive']) {
    const offer = edit(chromium, 'a=recvonly', `a=${direction}`);
    assert.match(refused(offer), new RegExp(`^invalid-offer: .*must be recvonly.*"a=${direction}"$`));
  }
  for (const direction of ['recvonly', 'inactive']) {
    assert.match(
      refused(edit(publish, 'a=sendonly', `a=${direction}`), 'publish'),
      /^invalid-offer: .*must be sendonly/,
    );
  }
  assert.is(parseOffer(edit(chromium, 'a=recvonly'), 'watch').media[0]?.direction, 'sendrecv');
  const bySession = edit(edit(chromium, 'a=recvonly'), 't=', 't=0 0', 'a=inactive');
  assert.match(refused(bySession), /^invalid-offer: .*inactive/);
});

// S5: RFC 8829 §5.8.3.
test('what a live line must have, of its own or from the session', () => {
  const needed = {
    'a=ice-ufrag': 'ice-ufrag',
    'a=ice-pwd': 'ice-pwd',
    'a=fingerprint': 'fingerprint',
    'a=setup': 'setup',
  };
  for (const [start, name] of Object.entries(needed)) {
    const [line = ''] = chromium.split('\r\n').filter((each) => each.startsWith(start));
    const without = edit(chromium, start);
    assert.match(refused(without), new RegExp(`^invalid-offer: .*no (usable )?${name} .*"m=video`));
    assert.is(parseOffer(edit(without, 't=', 't=0 0', line), 'watch').media.length, 2);
  }
});

test('a fingerprint of an unknown hash does not count, the strongest of several does', () => {
  const md5 = `a=fingerprint:md5 ${Array(16).fill('AA').join(':')}`;
  const sha1 = `a=fingerprint:sha-1 ${Array(20).fill('bb').join(':')}`;
  const sha384 = `a=fingerprint:SHA-384 ${Array(48).fill('CC').join(':')}`;
  assert.match(refused(edit(chromium, 'a=fingerprint', md5)), /no usable fingerprint/);
  const offer = parseOffer(edit(chromium, 'a=fingerprint', sha1, sha384, md5), 'watch');
  assert.is(offer.media[0]?.transport.fingerprint.type, 'sha-384');
  const one = parseOffer(edit(chromium, 'a=fingerprint', sha1), 'watch');
  assert.is(one.media[0]?.transport.fingerprint.hash, Array(20).fill('BB').join(':'));
});

test('nothing can be answered to holdconn', () => {
  assert.match(refused(edit(chromium, 'a=setup', 'a=setup:holdconn')), /^invalid-offer: .*holdconn/);
});

test('keys in the offer (SDES) are refused, and not repeated', () => {
  const keys = 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR';
  const message = refused(edit(chromium, 'a=mid:1', 'a=mid:1', keys));
  assert.match(message, /^invalid-offer: .*SDES/);
  assert.not.match(message, 'inline');
});

// S10: RFC 9143 §9.3.1.1, RFC 8858 §4.
test('rtcp-mux', () => {
  assert.match(refused(edit(chromium, 'a=rtcp-mux')), /^invalid-offer: .*no a=rtcp-mux .*"m=video/);
  assert.is(parseOffer(edit(chromium, 'a=rtcp-mux', 'a=rtcp-mux-only'), 'watch').media.length, 2);
  const [before = '', audio = ''] = firefox.split('m=audio');
  assert.is(parseOffer(`${before}m=audio${edit(audio, 'a=rtcp-mux')}`, 'watch').media.length, 2);
});

test('mids: there, and each its own', () => {
  // RFC 9143 §7.2: without one it is in no group.
  const unnamed = parseOffer(edit(chromium, 'a=mid:1'), 'watch');
  assert.equal([unnamed.media.length, unnamed.aside[0]?.cause], [1, 'outside the BUNDLE group']);
  assert.match(refused(edit(chromium, 'a=mid:1', 'a=mid:0')), /^invalid-offer: .*mid 0 is taken/);
});

test('RTP formats are numbers of seven bits, each once', () => {
  for (const formats of ['128', 'opus', '0111', '111 0 111']) {
    const offer = edit(chromium, 'm=audio', `m=audio 9 UDP/TLS/RTP/SAVPF ${formats}`);
    assert.match(refused(offer), /^invalid-offer: .*payload type/);
  }
});

// RFC 9143 §7.1, §9.1, §12.
test('one bundle: a mid in one group, a number with one meaning', () => {
  assert.match(refused(edit(chromium, 'a=group', 'a=group:BUNDLE 0 1', 'a=group:BUNDLE 1')), /already/);
  assert.match(refused(edit(chromium, 'a=group', 'a=group:BUNDLE 0 0')), /already/);
  const payload = chromium.replace(' 111 63', ' 108 63').replaceAll(/:111 /g, ':108 ');
  assert.match(refused(payload), /^invalid-offer: .*payload type 108 means two things/);
  assert.match(refused(edit(chromium, 'a=extmap:14', 'a=extmap:5 urn:x')), /header extension 5 means two things/);
  // Outside the bundle the line is rejected anyway.
  assert.is(parseOffer(edit(payload, 'a=group', 'a=group:BUNDLE 0'), 'watch').media.length, 1);
});

test('dead lines and lines of other kinds may be as they like', () => {
  const dead = edit(chromium, 'm=audio', 'm=audio 0 UDP/TLS/RTP/SAVPF 111');
  const [before = '', audio = ''] = dead.split('m=audio');
  const stripped = ['a=ice-', 'a=fingerprint', 'a=setup', 'a=rtcp-mux', 'a=mid', 'a=recvonly'].reduce(
    (sdp, start) => edit(sdp, start),
    audio,
  );
  const offer = parseOffer(`${before}m=audio${stripped}m=text 9 RTP/AVP x\r\na=inactive\r\n`, 'watch');
  assert.equal(
    offer.lines.map(({ live }) => live),
    [true, false, true],
  );
  assert.is(offer.media.length, 1);
});

test('limits: 1000 lines are read, one more is not', () => {
  const lines = chromium.trimEnd().split('\r\n').length;
  const filled = (count: number) => chromium + 'a=x\r\n'.repeat(count - lines);
  assert.is(parseOffer(filled(1000), 'watch').media.length, 2);
  assert.is(parseOffer(`${filled(1000)}\r\n\r\n`, 'watch').media.length, 2);
  assert.is(failureOf(() => parseOffer(filled(1001), 'watch')).code, 'too-many-lines');
});

test('limits: 64 m-lines and 200 candidates are read, one more is not', () => {
  const more = (count: number) => `${chromium}${'m=text 9 RTP/AVP 0\r\n'.repeat(count)}`;
  assert.is(parseOffer(more(62), 'watch').lines.length, 64);
  assert.is(refused(more(63)), 'too-many-m-lines: too many m-lines');
  const line = (port: number) => `a=candidate:1 1 udp 1 192.0.2.1 ${port} typ host`;
  const some = (count: number) =>
    edit(
      edit(chromium, 'a=candidate'),
      'a=mid:0',
      'a=mid:0',
      ...Array.from({ length: count }, (_, at) => line(at + 1)),
    );
  // RFC 8445 §6.1.2.5: the rest of them is of no use.
  assert.is(candidatesIn(some(200)).length, 100);
  assert.is(refused(some(201)), 'too-many-candidates: too many candidates');
});

// RFC 9725 §4.4.2.
test('a publisher offers one MediaStream with at most one track of a kind', () => {
  const [session = '', audio = '', video = ''] = publish.split(/^(?=m=)/m);
  const second = video.replace('a=mid:1', 'a=mid:2');
  const twoVideos = `${session.replace('BUNDLE 0 1', 'BUNDLE 0 1 2')}${audio}${video}${second}`;
  assert.match(refused(twoVideos, 'publish'), /^unsupported-offer: .*more than one video track/);
  const otherStream = `${session}${audio}${edit(video, 'a=msid', 'a=msid:another track')}`;
  assert.match(refused(otherStream, 'publish'), /^unsupported-offer: .*more than one MediaStream/);
  const noStream = `${session}${audio}${edit(video, 'a=msid', 'a=msid:- track')}`;
  assert.is(parseOffer(noStream, 'publish').media.length, 2);
});

test('the credentials that a PATCH is compared with', () => {
  assert.equal(offerCredentials(parseOffer(firefox, 'watch')), [
    { ufrag: '9a1f03be', pwd: '0d5c8b0f6fa1e7c3b8d3f5a07e0b4c92' },
  ]);
  // Digits stay digits.
  const digits = edit(edit(chromium, 'a=ice-ufrag', 'a=ice-ufrag:00123'), 'a=ice-pwd', `a=ice-pwd:${'9'.repeat(24)}`);
  const [first] = offerCredentials(parseOffer(digits, 'watch'));
  assert.equal(first, { ufrag: '00123', pwd: '9'.repeat(24) });
});

test('every offer of the corpus is understood in full', () => {
  for (const { name, role, sdp } of offers) {
    const offer = parseOffer(sdp, role);
    assert.is(offer.media.length, 2 - Number(name === 'ffmpeg-publish-video'), name);
    assert.ok(offer.bundle, name);
  }
});

test.run();

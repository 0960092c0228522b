import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseFragment } from '../../src/sdp/fragment.ts';
import { failureOf } from '../support/exchange.ts';

const test = suite('parseFragment');

const ufrag = 'a=ice-ufrag:EsAw';
const pwd = 'a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1';
const host = 'candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1';
const body = (...lines: string[]) => `${lines.join('\r\n')}\r\n`;

/** RFC 8840 §9.2 as clients write it: the levels, kinds and order differ. */
const forms: Record<string, string> = {
  'credentials above, as RFC 8840 does': body(ufrag, pwd, 'm=audio 9 UDP/TLS/RTP/SAVPF 0', 'a=mid:0', `a=${host}`),
  'credentials in the section': body('m=audio 9 RTP/AVP 0', 'a=mid:0', ufrag, pwd, `a=${host}`),
  'a whole m-line of the offer': body(ufrag, pwd, 'm=video 9 UDP/TLS/RTP/SAVPF 96 97 98', 'a=mid:0', `a=${host}`),
  'mid after the candidate': body(ufrag, pwd, 'm=audio 9 RTP/AVP 0', `a=${host}`, 'a=mid:0'),
  'no m-line': body('a=mid:0', ufrag, pwd, `a=${host}`),
  'unknown attributes': body(
    'a=ice-lite',
    'a=x-a:b',
    ufrag,
    pwd,
    'm=audio 9 RTP/AVP 0',
    'a=mid:0',
    `a=${host}`,
    'a=rtcp-mux',
  ),
  'upper case names': body('a=ICE-UFRAG:EsAw', pwd, 'm=audio 9 RTP/AVP 0', 'a=Mid:0', `a=C${host.slice(1)}`),
};
for (const [name, text] of Object.entries(forms)) {
  test(name, () => {
    const expected = {
      ufrag: 'EsAw',
      pwd: 'P2uYro0UCOQ4zxjKXaWCBui1',
      candidates: [{ mid: '0', candidate: host }],
      endOfCandidates: false,
    };
    assert.equal(parseFragment(text), expected);
    assert.equal(parseFragment(text.replaceAll('\r\n', '\n')), expected);
    assert.equal(parseFragment(text.trimEnd()), expected);
  });
}

test('end-of-candidates at either level, with or without credentials', () => {
  const end = { candidates: [], endOfCandidates: true };
  assert.equal(parseFragment('a=end-of-candidates'), end);
  assert.equal(parseFragment(body('m=audio 9 RTP/AVP 0', 'a=mid:0', 'a=end-of-candidates')), end);
  assert.equal(parseFragment(body(ufrag, 'a=end-of-candidates')), { ufrag: 'EsAw', ...end });
});

test('several sections and candidates, each address and port once', () => {
  const at = (port: number) => `candidate:1 1 UDP 1 192.0.2.1 ${port} typ host`;
  const text = body(
    ufrag,
    pwd,
    'm=audio 9 RTP/AVP 0',
    'a=mid:0',
    `a=${at(1)}`,
    `a=${at(2)}`,
    `a=${at(1)}`,
    'm=video 9 RTP/AVP 0',
    'a=mid:1',
    `a=${at(1)}`,
    'm=video 9 RTP/AVP 0',
    `a=${at(3)}`,
  );
  assert.equal(parseFragment(text).candidates, [
    { mid: '0', candidate: at(1) },
    { mid: '0', candidate: at(2) },
    { mid: '1', candidate: at(1) },
    { mid: undefined, candidate: at(3) },
  ]);
});

// draft-ietf-wish-whep §4.5.2.
test('useless candidates are left out, the others stay', () => {
  const useless = [
    'a=candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active',
    'a=candidate:1 1 udp 1 0b3c1a5e-7f6d-4c2b-9a8e-1d2c3b4a5f60.local 9 typ host',
    'a=candidate:1 1 udp 1 host.example.com 9 typ host',
    'a=candidate:1 2 udp 1 192.0.2.1 9 typ host',
    'a=candidate:1 1 quic 1 192.0.2.1 9 typ host',
    'a=candidate:1 1 udp 1 [2001:db8::1] 9 typ host',
    'a=candidate:1 1 udp 1 ff02::1 9 typ host',
    'a=candidate:1 1 udp 1 :: 9 typ host',
    'a=candidate:1 1 udp 1 255.255.255.255 9 typ host',
    // Malformed.
    'a=candidate:1 1 udp 1 192.0.2.1 70000 typ host',
    'a=candidate:1 1 udp 4294967296 192.0.2.1 9 typ host',
    'a=candidate:1 1 udp 1 192.0.2.1 9',
    'a=candidate:',
    'a=candidate',
  ];
  const text = body(ufrag, pwd, 'm=audio 9 RTP/AVP 0', 'a=mid:0', ...useless, `a=${host}`);
  assert.equal(parseFragment(text).candidates, [{ mid: '0', candidate: host }]);
});

test('blanks at the end of lines, and in the names of unknown attributes, change nothing', () => {
  const lines = [ufrag, pwd, 'm=audio 9 RTP/AVP 0', 'a=x y', 'a=mid:0', `a=${host}`, 'a=end-of-candidates'];
  assert.equal(parseFragment(body(...lines.map((line) => `${line} `))), parseFragment(body(...lines)));
  assert.equal(parseFragment(body(...lines)).candidates, [{ mid: '0', candidate: host }]);
});

const malformed = [
  '',
  '\r\n\r\n',
  'hello',
  '{}',
  body('v=0', ufrag, pwd),
  body(ufrag, '', pwd),
  body('a=ice-ufrag:abc', pwd),
  body('a=ice-ufrag', pwd),
  body(ufrag, 'a=ice-pwd:short'),
  body(ufrag, pwd, 'm=audio', 'a=mid:0'),
  body(ufrag, pwd, 'm=audio 9 RTP/AVP 0', 'a=mid:'),
  body(ufrag, pwd, 'm=audio 9 RTP/AVP 0', 'a=mid:0', 'c=IN IP4 0.0.0.0'),
  body(ufrag, pwd, 'a='),
  body(ufrag, pwd, 'a=x:\0'),
];
for (const text of malformed) {
  test(`malformed: ${JSON.stringify(text).slice(0, 70)}`, () => {
    const { code, message } = failureOf(() => parseFragment(text));
    assert.is(code, 'invalid-fragment');
    assert.match(message, 'RFC 8840 §9');
    assert.not.match(message, 'P2uYro');
  });
}

test('the line is named', () => {
  const { message } = failureOf(() => parseFragment(body(ufrag, 'a=ice-pwd:short')));
  assert.is(message, 'malformed SDP fragment (RFC 8840 §9.2); line 2: "a=ice-pwd:..."');
});

test.run();

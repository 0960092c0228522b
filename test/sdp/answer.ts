import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeAnswer } from '../../src/sdp/answer.ts';
import { checkAnswer } from '../support/answer-rules.ts';
import { edit, exchange, failureOf, STREAM } from '../support/exchange.ts';
import { offerOf } from '../support/offers.ts';

const test = suite('writeAnswer');

const chromium = offerOf('chromium-watch');
const draft = offerOf('whep-draft-watch');

function candidates(answer: string): string[] {
  return answer.match(/(?<=^a=candidate:).*/gm) ?? [];
}

test("the engine's transport is in it, and candidates once", () => {
  const { answer } = exchange(chromium);
  assert.equal(checkAnswer(chromium, answer, STREAM), []);
  assert.is(answer.match(/^a=ice-ufrag:2718$/gm)?.length, 2);
  assert.is(answer.match(/^a=ice-pwd:KsDry\/RP6NLhwcP9UmD5\/B$/gm)?.length, 2);
  assert.is(answer.match(/^a=fingerprint:sha-256 5D:/gm)?.length, 2);
  assert.equal(candidates(answer), [
    '1 1 UDP 2114977791 192.0.2.2 44811 typ host',
    '2 1 UDP 2116026111 2001:db8::2 44811 typ host',
  ]);
});

test('it begins with v=0, ends each line with CRLF and is small', () => {
  const { answer } = exchange(chromium);
  assert.ok(answer.startsWith('v=0\r\no=- 2181121431 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n'));
  assert.not.match(answer.replaceAll('\r\n', ''), /[\r\n]/);
});

test("announced addresses are host candidates on the same port, below the engine's own", () => {
  const { answer } = exchange(chromium, { announce: ['203.0.113.7', '2001:db8::7', '192.0.2.2'] });
  assert.equal(checkAnswer(chromium, answer, STREAM), []);
  assert.equal(candidates(answer), [
    '3 1 UDP 2114977535 203.0.113.7 44811 typ host',
    '1 1 UDP 2114977791 192.0.2.2 44811 typ host',
    '4 1 UDP 2114977279 2001:db8::7 44811 typ host',
    '2 1 UDP 2116026111 2001:db8::2 44811 typ host',
  ]);
});

test('an announced address has the port of its own family', () => {
  const own = ['1 1 UDP 20000 192.0.2.2 5000 typ host', '2 1 UDP 10000 2001:db8::2 6000 typ host'];
  const { answer } = exchange(chromium, { candidates: own, announce: ['2001:db8::7', '203.0.113.7'] });
  assert.equal(
    candidates(answer).map((each) => each.split(' ').slice(4, 6).join(' ')),
    ['203.0.113.7 5000', '192.0.2.2 5000', '2001:db8::7 6000', '2001:db8::2 6000'],
  );
});

test('without a host candidate nothing is announced', () => {
  const relay = '1 1 UDP 16777215 198.51.100.3 3478 typ relay raddr 192.0.2.2 rport 44811';
  const { answer } = exchange(chromium, { candidates: [relay], announce: ['203.0.113.7'] });
  assert.equal(candidates(answer), [relay]);
});

test('many candidates stay within 8 KiB, IPv4 hosts first', () => {
  const long = (at: number) => `${at} 1 UDP ${at} 2001:db8:1111:2222:3333:4444:5555:${at} 44811 typ host`;
  const own = [...Array.from({ length: 300 }, (_, at) => long(at + 1000)), '9 1 UDP 9 192.0.2.2 44811 typ host'];
  const { answer } = exchange(draft, { candidates: own, announce: ['203.0.113.7'] });
  assert.equal(checkAnswer(draft, answer, STREAM), []);
  assert.is(candidates(answer).length, 32);
  assert.match(candidates(answer)[1] ?? '', '192.0.2.2');
});

test('64 lines of long names leave the answer complete', () => {
  const text = Array.from({ length: 62 }, (_, at) => `m=text 9 ${'P'.repeat(64)} ${'f'.repeat(64)}\r\na=mid:t${at}`);
  const offer = `${chromium}${text.join('\r\n')}\r\n`;
  const { answer } = exchange(offer);
  assert.equal(checkAnswer(offer, answer, STREAM), []);
});

// RFC 8829 §5.3.1, RFC 8842 §5.3, RFC 9143 §9.3.1.2.
test('ice-options, tls-id and rtcp-mux-only: when offered, and what is known of them', () => {
  const plain = exchange(edit(chromium, 'a=ice-options')).answer;
  assert.not.match(plain, /ice-options|tls-id|rtcp-mux-only/);
  const { answer } = exchange(draft);
  assert.equal(answer.match(/^a=(ice-options|tls-id|rtcp-mux-only).*/gm), [
    'a=ice-options:trickle ice2',
    'a=rtcp-mux-only',
    'a=tls-id:2718KsDry/RP6NLhwcP9UmD5/B',
  ]);
  const other = edit(chromium, 'a=ice-options', 'a=ice-options:renomination,trickle');
  assert.match(exchange(other).answer, '\r\na=ice-options:trickle\r\n');
});

test('every section has credentials and setup, rejected ones too: GStreamer asks for them', () => {
  const { answer } = exchange(offerOf('chromium-watch-max-bundle'));
  for (const section of answer.split(/^(?=m=)/m).slice(1)) {
    assert.match(section, '\r\na=ice-ufrag:2718\r\n');
    assert.match(section, /\r\na=ice-pwd:\S{22}\r\n/);
    assert.match(section, '\r\na=setup:passive\r\n');
  }
});

test('an engine that says too little, or takes another DTLS role than its own, has failed', () => {
  const { plan } = exchange(chromium);
  const description = plan.offer.replaceAll('setup:active', 'setup:passive');
  assert.ok(writeAnswer(plan, { description }, []));
  for (const start of ['a=ice-ufrag', 'a=ice-pwd', 'a=fingerprint', 'a=setup', 'o=']) {
    const failure = failureOf(() => writeAnswer(plan, { description: edit(description, start) }, []));
    assert.is(failure.code, 'engine-failed');
    assert.not.match(failure.message, 'uLICqMMn');
  }
  for (const [offered, own] of [
    ['actpass', 'passive'],
    ['active', 'passive'],
    ['passive', 'active'],
  ]) {
    const { plan } = exchange(edit(chromium, 'a=setup', `a=setup:${offered}`));
    for (const setup of ['active', 'passive', 'actpass', 'holdconn']) {
      const answer = () => writeAnswer(plan, { description: edit(description, 'a=setup', `a=setup:${setup}`) }, []);
      if (setup === own) assert.ok(answer());
      else assert.is(failureOf(answer).code, 'engine-failed');
    }
  }
});

test.run();

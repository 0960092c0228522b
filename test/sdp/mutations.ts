import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StreamFacts } from '../../src/engine/port.ts';
import { Failure } from '../../src/errors.ts';
import { parseFragment } from '../../src/sdp/fragment.ts';
import { parseOffer } from '../../src/sdp/offer.ts';
import { checkAnswer } from '../support/answer-rules.ts';
import { type Exchange, edit, exchange, STREAM, STREAMS } from '../support/exchange.ts';
import { h264Facts } from '../support/facts.ts';
import { mutated } from '../support/mutations.ts';
import { offerOf, offers } from '../support/offers.ts';
import { rounds } from '../support/rounds.ts';

const test = suite('mutated SDP');

const EXPECTED = [
  'invalid-sdp',
  'invalid-offer',
  'too-many-m-lines',
  'too-many-candidates',
  'unsupported-offer',
  'codec-mismatch',
];
const { video } = STREAM;
const stream = fc.constantFrom<StreamFacts>(
  STREAM,
  { ...(video && { video }) },
  { audio: { active: true, codec: 'opus', channels: 1 } },
  { ...STREAM, video: h264Facts('640028') },
);

/** The outcome, when it is an answer; any other exception than an expected failure is thrown on. */
function attempt(run: () => Exchange): Exchange | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof Failure && EXPECTED.includes(error.code)) return undefined;
    throw error;
  }
}

/** What browsers offer of each codec; nobody offers the last by himself. */
const chromium = offerOf('chromium-watch');
const watched = [
  ...[chromium, offerOf('safari-watch'), offerOf('firefox-watch')],
  edit(
    chromium.replace(/^m=audio 9 \S+ /m, '$&112 '),
    'a=rtpmap:111',
    'a=rtpmap:111 opus/48000/2',
    'a=rtpmap:112 multiopus/48000/6',
    'a=fmtp:112 channel_mapping=0,4,1,2,3,5;coupled_streams=2;num_streams=4',
  ),
];

test('each codec: an answer that keeps every rule, or an expected failure', () => {
  const answered = new Set<string>();
  fc.assert(
    fc.property(mutated(watched), fc.constantFrom(...Object.entries(STREAMS)), (sdp, [name, facts]) => {
      const done = attempt(() => exchange(sdp, { stream: facts }));
      if (!done) return;
      answered.add(name);
      assert.equal(checkAnswer(sdp, done.answer, facts), []);
    }),
    { numRuns: rounds(2500) },
  );
  // Nobody here offers H265 but of the Main tier.
  assert.equal(
    [...answered].sort(),
    Object.keys(STREAMS)
      .filter((name) => !/10/.test(name))
      .sort(),
  );
});

for (const role of ['watch', 'publish'] as const) {
  const texts = offers.filter((each) => each.role === role).map(({ sdp }) => sdp);

  test(`${role}: an answer that keeps every rule, or an expected failure`, () => {
    let answered = 0;
    fc.assert(
      fc.property(mutated(texts), stream, fc.boolean(), fc.boolean(), (sdp, facts, complete, playoutDelay) => {
        const done = attempt(() => exchange(sdp, { role, stream: facts, complete, playoutDelay }));
        if (!done) return;
        answered++;
        assert.equal(checkAnswer(sdp, done.answer, facts, role), []);
        // The engine is not given what this server would refuse.
        assert.is(parseOffer(done.plan.offer, role).media.length, done.plan.media.length);
      }),
      { numRuns: rounds(1500) },
    );
    assert.ok(answered > 150, `only ${answered} mutated offers were answered: the mutations are too harsh to tell`);
  });
}

test('offers: arbitrary text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      assert.is(
        attempt(() => exchange(text)),
        undefined,
      );
      assert.is(
        attempt(() => exchange(`v=0\r\n${text}`)),
        undefined,
      );
    }),
    { numRuns: rounds(1000) },
  );
});

const fragments = offers
  .map(({ sdp }) => sdp.match(/^a=(ice-ufrag|ice-pwd|mid|candidate):.*|^a=end-of-candidates|^m=.*/gm) ?? [])
  .map((lines) => `${lines.join('\r\n')}\r\n`);

test('fragments: candidates that are complete, or an expected failure', () => {
  let read = 0;
  fc.assert(
    fc.property(mutated(fragments), (text) => {
      try {
        const { ufrag = 'none', pwd = '-'.repeat(22), candidates } = parseFragment(text);
        read++;
        assert.ok(ufrag.length >= 4 && pwd.length >= 22);
        for (const { candidate } of candidates) {
          assert.match(
            candidate,
            /^candidate:[\w+/]+ 1 udp [1-9]\d* [\da-f.:]+ [1-9]\d* typ (host|srflx|prflx|relay)/i,
          );
          assert.not.match(candidate, /[\r\n\0]/);
        }
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        assert.is(error.code, 'invalid-fragment');
      }
    }),
    { numRuns: rounds(1500) },
  );
  assert.ok(read > 150, `only ${read} mutated fragments were read: the mutations are too harsh to tell`);
});

test.run();

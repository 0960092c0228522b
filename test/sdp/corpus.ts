import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StreamFacts } from '../../src/engine/port.ts';
import { checkAnswer } from '../support/answer-rules.ts';
import { exchange, STREAM } from '../support/exchange.ts';
import { h264Facts } from '../support/facts.ts';
import { offers } from '../support/offers.ts';

const test = suite('offers of real clients');

const { video, audio } = STREAM;
const of = (profileLevelId: string): StreamFacts => ({
  ...STREAM,
  video: h264Facts(profileLevelId),
});
const streams: Record<string, StreamFacts> = {
  both: STREAM,
  'video alone': { ...(video && { video }) },
  'audio alone': { ...(audio && { audio: { ...audio, channels: 1 } }) },
  Baseline: of('42001f'),
  Main: of('4d401f'),
  'High profile': of('640028'),
  'Constrained High': of('640c1f'),
  'nothing known yet': { video: h264Facts(), audio: { active: false, codec: 'opus' } },
};

for (const { name, role, sdp } of offers) {
  for (const [which, stream] of Object.entries(streams)) {
    if (role === 'publish' && which !== 'both') continue;
    test(`${name}, ${which}: the answer keeps every rule`, () => {
      const { answer, plan } = exchange(sdp, { role, stream, announce: ['203.0.113.7'] });
      assert.equal(checkAnswer(sdp, answer, stream, role), []);
      assert.is(plan.media.length, role === 'publish' ? sdp.match(/^m=/gm)?.length : Object.keys(stream).length);
    });

    test(`${name}, ${which}: the engine sees an offer that keeps every rule, and lines that match it`, () => {
      const { plan } = exchange(sdp, { role, stream });
      const again = exchange(plan.offer, { role, stream });
      assert.is(again.plan.offer, plan.offer);
      assert.equal(
        again.plan.media.map(({ mid, payloadType }) => ({ mid, payloadType })),
        plan.media.map(({ mid, payloadType }) => ({ mid, payloadType })),
      );
      for (const { description, mid, kind, payloadType } of plan.media) {
        assert.ok(description.startsWith(`m=${kind} 9 UDP/TLS/RTP/SAVPF ${payloadType}`));
        assert.ok(description.includes(`\r\na=mid:${mid}\r\n`));
        assert.ok(description.includes(role === 'watch' ? '\r\na=sendonly\r\n' : '\r\na=recvonly\r\n'));
        assert.ok(description.endsWith('\r\n'));
      }
    });
  }
}

test.run();

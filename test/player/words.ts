import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { noticeOf } from '../../src/player/page/words.ts';

const test = suite('what the player page says');

test('nothing over a picture, and that there is none where there is sound alone', () => {
  assert.is(noticeOf({ phase: 'playing', video: true, audio: true }, true), undefined);
  assert.equal(noticeOf({ phase: 'playing', video: false, audio: true }, true), ['Playing sound only']);
});

test('a stream that is not live is waited for, or has ended', () => {
  const state = { phase: 'waiting', cause: 'not-live', reason: 'webrtc: stream is not live', seconds: 3 } as const;
  assert.match(noticeOf(state, false)?.join(' ') ?? '', /^Waiting for the stream .*not live yet/);
  assert.match(noticeOf(state, true)?.join(' ') ?? '', /^The stream has ended/);
});

test('a refusal is told in the words of the server', () => {
  const reason = 'webrtc: codec mismatch -- offer is missing: H264';
  for (const cause of ['unauthorized', 'forbidden', 'codec', 'rejected'] as const) {
    assert.match(noticeOf({ phase: 'refused', cause, reason }, false)?.[1] ?? '', reason);
  }
  for (const cause of ['busy', 'server-error'] as const) {
    const [, detail] = noticeOf({ phase: 'waiting', cause, reason, seconds: 2.2 }, false) ?? [];
    assert.match(detail ?? '', reason);
    assert.match(detail ?? '', 'Trying again in 3 s');
  }
});

test('a browser without the codecs of the stream is told their names', () => {
  const title = (lack: string) => {
    const reason = `webrtc: codec mismatch -- ${lack}`;
    return noticeOf({ phase: 'refused', cause: 'codec', reason }, false)?.[0];
  };
  assert.is(title('offer is missing: AV1'), 'This browser cannot decode AV1');
  assert.is(title('offer is missing: VP9, Opus'), 'This browser cannot decode VP9');
  assert.is(title('offer is missing: H264 with packetization-mode=1'), 'This browser cannot decode H264');
  assert.is(title('the stream is H264 High'), 'This browser cannot decode this stream');
});

test('each cause has a title of its own', () => {
  const causes = ['not-live', 'not-found', 'busy', 'server-error', 'unreachable', 'lost'] as const;
  const titles = causes.map((cause) => noticeOf({ phase: 'waiting', cause, reason: '', seconds: 1 }, false)?.[0]);
  assert.is(new Set(titles).size, causes.length);
});

test.run();

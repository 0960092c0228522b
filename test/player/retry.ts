import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { causeOf, retryOf } from '../../src/player/retry.ts';

const test = suite('when the player tries again');
const middle = () => 0.5;

test('after what may pass: not live, full, too many requests, a broken server', () => {
  const causes = {
    404: 'not-found',
    409: 'not-live',
    429: 'busy',
    503: 'busy',
    500: 'server-error',
    504: 'server-error',
  };
  for (const [status, cause] of Object.entries(causes)) {
    assert.is(causeOf(Number(status)), cause);
    assert.ok((retryOf(causeOf(Number(status)), null, 0, middle)?.seconds ?? 0) > 0, status);
  }
  for (const cause of ['unreachable', 'lost', 'ended'] as const) assert.ok(retryOf(cause, null, 0), cause);
});

test('never after a refusal that stays one', () => {
  const causes = {
    400: 'rejected',
    401: 'unauthorized',
    403: 'forbidden',
    406: 'codec',
    415: 'rejected',
    422: 'codec',
  };
  for (const [status, cause] of Object.entries(causes)) {
    assert.is(causeOf(Number(status)), cause);
    assert.is(retryOf(causeOf(Number(status)), '1', 0), undefined, status);
  }
});

test('not before the server asked for it, and not all viewers at once', () => {
  assert.equal(
    retryOf('busy', '7', 0, () => 0),
    { seconds: 7, asked: true },
  );
  assert.equal(retryOf('busy', '7', 9, middle), { seconds: 7.5, asked: true });
});

test('a Retry-After that is no sensible number of seconds is ignored', () => {
  for (const retryAfter of ['Sun, 06 Nov 1994 08:49:37 GMT', '-1', '1e9', 'x']) {
    const { seconds, asked } = retryOf('busy', retryAfter, 0, middle) ?? { seconds: 99, asked: true };
    assert.ok(seconds < 1 && !asked, retryAfter);
  }
});

test('with growing pauses, up to a bound', () => {
  const pauses = [...Array(10).keys()].map((attempt) => retryOf('lost', null, attempt, middle)?.seconds);
  assert.equal(pauses.slice(0, 4), [0.5, 1, 2, 4]);
  assert.is(pauses.at(-1), 15);
});

test.run();

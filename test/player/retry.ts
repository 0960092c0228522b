import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { retryDelay } from '../../src/player/retry.ts';

const test = suite('when the player tries again');
const middle = () => 0.5;

test('after what may pass: no answer, not live, full, too many requests, a broken server', () => {
  for (const status of [0, 404, 408, 409, 429, 500, 503, 504]) {
    assert.ok((retryDelay({ status, retryAfter: null }, 0, middle) ?? 0) > 0, `${status}`);
  }
});

test('never after a refusal that stays one', () => {
  for (const status of [400, 401, 403, 406, 415, 422]) assert.is(retryDelay({ status, retryAfter: '1' }, 0), undefined);
});

test('not before the server asked for it, and not all viewers at once', () => {
  assert.is(
    retryDelay({ status: 503, retryAfter: '7' }, 0, () => 0),
    7,
  );
  assert.is(retryDelay({ status: 503, retryAfter: '7' }, 9, middle), 7.5);
});

test('a Retry-After that is no sensible number of seconds is ignored', () => {
  for (const retryAfter of ['Sun, 06 Nov 1994 08:49:37 GMT', '-1', '1e9', 'x']) {
    assert.ok((retryDelay({ status: 503, retryAfter }, 0, middle) ?? 99) < 1, retryAfter);
  }
});

test('with growing pauses, up to a bound', () => {
  const pauses = [...Array(10).keys()].map(
    (attempt) => retryDelay({ status: 0, retryAfter: null }, attempt, middle) ?? 0,
  );
  assert.equal(pauses.slice(0, 4), [0.5, 1, 2, 4]);
  assert.is(pauses.at(-1), 15);
});

test.run();

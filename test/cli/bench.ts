import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bench, type FanoutRow, type Quantiles } from '../support/bench.ts';
import { descendants } from '../support/process.ts';

const test = suite('fetch-whep bench');

test('a server that is not there is said so', async () => {
  const child = bench('fanout', '--viewers', '1', '--url', 'http://127.0.0.1:9/whep/cam1');
  assert.is((await child.ending()).code, 1);
  assert.match(child.stderr, /no viewer got in: POST http:\/\/127\.0\.0\.1:9\/whep\/cam1: /);
});

interface JoinRow {
  connected: number;
  withPicture: number;
  lost: number;
  post: Quantiles;
  connection: Quantiles;
  firstKeyframe: Quantiles;
}

test('20 viewers get the whole stream of either engine, in order, with its times', async () => {
  // Each engine has a choice of its own from what viewers offer, and each profile a floor.
  const args = ['--compare', 'portable', '--profile', 'aead-aes-128-gcm'];
  const child = bench('fanout', '--viewers', '20', '--secs', '3', '--json', ...args);
  assert.is((await child.ending(120_000)).code, 0, child.stderr);
  const lines = child.stdout.trim().split('\n');
  const rows = lines.map((line) => JSON.parse(line) as FanoutRow);
  assert.equal(
    rows.map(({ engine }) => engine),
    ['native', 'portable'],
  );
  assert.equal(rows[0]?.profiles, ['SRTP_AEAD_AES_128_GCM']);
  for (const row of rows) {
    assert.is(row.connected, 20);
    assert.is(row.failures, 0);
    assert.is(row.lossRatio, 0);
    assert.is(row.duplicates, 0);
    // 30 pictures of 8 packets and 50 sounds a second, fewer on a busy machine; what is under way when counting begins and
    // ends differs.
    const { delivered, expected } = row.packetsPerSecond;
    assert.ok(delivered > 0 && delivered < expected * 1.1, `${delivered} of ${expected}`);
    assert.ok(Math.abs(expected - 20 * 290.5) < 20 * 290.5 * 0.1, `${expected}`);
    for (const { p50, p99, max } of [row.latency, row.post, row.firstKeyframe]) {
      assert.ok(p50 > 0 && p50 <= p99 && p99 <= max * 1.01, JSON.stringify({ p50, p99, max }));
    }
    assert.ok(row.cpuMicrosPerPacket > 0 && row.floorMicrosPerPacket.gso > 0 && row.floorMicrosPerPacket.sendto > 0);
  }
  assert.equal(rows[0]?.floorMicrosPerPacket, rows[1]?.floorMicrosPerPacket, 'one floor for both');
});

test('a few viewers join at once, and come and go', async () => {
  const storm = bench('join', '--viewers', '10', '--playing', '5', '--rate', '20', '--secs', '1', '--json');
  assert.is((await storm.ending(60_000)).code, 0, storm.stderr);
  const joined = JSON.parse(storm.stdout) as JoinRow;
  assert.equal([joined.connected, joined.withPicture, joined.lost], [10, 10, 0]);
  const { post, connection, firstKeyframe } = joined;
  assert.ok(post.p50 < connection.p50 && connection.p50 <= firstKeyframe.p50, storm.stdout);

  const churn = bench('churn', '--viewers', '5', '--secs', '2', '--json');
  const server = churn.pid;
  assert.is((await churn.ending(60_000)).code, 0, churn.stderr);
  const row = JSON.parse(churn.stdout) as { sessions: number; failures: number; withoutPicture: number };
  assert.ok(row.sessions >= 20 && row.failures === 0 && row.withoutPicture === 0, churn.stdout);
  assert.equal(descendants(server), []);
});

test.run();

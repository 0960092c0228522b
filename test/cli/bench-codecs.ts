import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bench, type FanoutRow } from '../support/bench.ts';

const test = suite('what fetch-whep bench can measure');

test('packets are gathered and go past libdatachannel, whatever the codec', async () => {
  const child = bench('fanout', '--viewers', '20', '--secs', '3', '--codec', 'h264,av1', '--json');
  assert.is((await child.ending(120_000)).code, 0, child.stderr);
  const lines = child.stdout.trim().split('\n');
  const rows = lines.map((line) => JSON.parse(line) as FanoutRow);
  assert.equal(
    rows.map(({ codec }) => codec),
    ['h264', 'av1'],
  );
  for (const row of rows) {
    assert.equal([row.connected, row.lossRatio], [20, 0]);
    // A picture's 8 packets, and those of several viewers, leave together.
    const { sendCallsPerSecond, directRatio, packetsPerSecond, latency, firstKeyframe } = row;
    assert.ok(sendCallsPerSecond > 0 && sendCallsPerSecond < packetsPerSecond.delivered / 8, `${sendCallsPerSecond}`);
    // Two reports a second for each viewer do not.
    assert.ok(directRatio > 0.98 && directRatio < 1, `${directRatio}`);
    assert.ok(latency.p50 > 0 && firstKeyframe.p50 > 0, JSON.stringify(row));
  }
  const [first, other] = rows.map(({ cpuMicrosPerPacket }) => cpuMicrosPerPacket);
  assert.is(rows[0]?.codecRatio, 1);
  assert.is(rows[1]?.codecRatio, Number(((other ?? 0) / (first ?? 0)).toPrecision(3)));
});

const halves: [args: string[], packets: number, profile: string][] = [
  [['--video-only', '--packets', '2', '--profile', 'aes-cm-sha1'], 30 * 2 + 0.5, 'SRTP_AES128_CM_HMAC_SHA1_80'],
  [['--audio-only', '--ingest', 'whip', '--rounds', '2'], 50, 'SRTP_AEAD_AES_128_GCM'],
];

for (const [args, packets, profile] of halves) {
  test(`${args.join(' ')} is what viewers get`, async () => {
    const child = bench('fanout', ...args, '--viewers', '3', '--secs', '2', '--json');
    assert.is((await child.ending(90_000)).code, 0, child.stderr);
    const row = JSON.parse(child.stdout) as FanoutRow;
    assert.is(child.stderr.split(': measuring for 2 s').length - 1, args.includes('--rounds') ? 2 : 1);
    assert.equal([row.connected, row.lossRatio, row.duplicates], [3, 0, 0]);
    const { delivered, expected } = row.packetsPerSecond;
    assert.ok(delivered > 0 && delivered < expected * 1.1, `${delivered} of ${expected}`);
    assert.ok(Math.abs(expected - 3 * packets) < 3 * packets * 0.1, `${expected}`);
    assert.equal(row.profiles, [profile]);
    assert.is(row.floorMicrosPerPacket !== undefined, profile.endsWith('GCM'), 'there is no floor without AES-GCM');
  });
}

test('the stream may come from a publisher', async () => {
  const child = bench('fanout', '--viewers', '3', '--secs', '1', '--ingest', 'whip', '--json');
  assert.is((await child.ending(60_000)).code, 0, child.stderr);
  const row = JSON.parse(child.stdout) as FanoutRow;
  assert.equal([row.connected, row.lossRatio], [3, 0]);
});

test('each SRTP profile and each codec can be measured by itself', async () => {
  for (const [name, profile, codec] of [
    ['aead-aes-128-gcm', 'AEAD_AES_128_GCM', 'h265'],
    ['aead-aes-256-gcm', 'AEAD_AES_256_GCM', 'vp8'],
    ['aes-cm-sha1', 'AES128_CM_HMAC_SHA1_80', 'vp9'],
  ] as const) {
    const child = bench('churn', '--viewers', '2', '--secs', '1', '--profile', name, '--codec', codec);
    assert.is((await child.ending(60_000)).code, 0, child.stderr);
    assert.match(child.stdout, new RegExp(`\\b${profile} +0\\b`), 'all of them had a picture');
  }
});

test.run();

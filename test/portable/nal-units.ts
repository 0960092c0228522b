import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pack } from '../../src/engine/portable/h264.ts';
import { MAX_PAYLOAD } from '../../src/engine/portable/rtp.ts';
import { Feed, received } from './support/feed.ts';
import { garbage, PPS, SPS, slice } from './support/packets.ts';

const test = suite('NAL units of the portable engine');

/** Fragments of a NAL unit that hold `size` bytes each. */
function cut(unit: Buffer, size: number): Buffer[] {
  const head = unit.readUInt8(0);
  const count = Math.ceil((unit.length - 1) / size);
  return Array.from({ length: count }, (_, index) => {
    const flags = (index === 0 ? 0x80 : 0) | (index === count - 1 ? 0x40 : 0);
    const piece = unit.subarray(1 + index * size, 1 + (index + 1) * size);
    return Buffer.concat([Buffer.from([(head & 0xe0) | 28, flags | (head & 0x1f)]), piece]);
  });
}

function aggregate(...units: Buffer[]): Buffer {
  const part = (unit: Buffer) => Buffer.concat([Buffer.from([unit.length >> 8, unit.length & 0xff]), unit]);
  return Buffer.concat([Buffer.from([0x78]), ...units.map(part)]);
}

test('NAL units of every size survive fragmentation', () => {
  for (const size of [1, 2, MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD, 100_000, 1_501_207]) {
    const unit = garbage(size, size);
    unit[0] = 0x65;
    const payloads = pack([unit]);
    assert.ok(payloads.length <= Math.ceil(size / 1188));
    assert.equal(received(payloads), [unit]);
  }
});

test('however a sender has cut them, units leave in as few packets as fit, without delimiters', () => {
  const units = [SPS, PPS, slice('idr', 12_000), slice('idr', 1_400)];
  const [idr = SPS, last = SPS] = units.slice(2);
  const delimiter = Buffer.from([9, 0xf0]);
  const ways = [
    [SPS, PPS, ...cut(idr, 1_458), ...cut(last, 1_458)],
    [aggregate(SPS, PPS), ...cut(idr, 1_186), last],
    [aggregate(delimiter, SPS, PPS), ...cut(idr, 100), aggregate(last)],
    [delimiter, SPS, PPS, idr, ...cut(last, 700)],
  ];
  for (const way of ways) {
    const [{ payloads } = { payloads: [] }] = new Feed().picture(...way).units;
    assert.equal(received(payloads), units);
    assert.is(payloads.length, 1 + 10 + 2);
  }
});

test('fragments that do not fit together cost their picture, and nothing of them is kept', () => {
  const [first = SPS, middle = SPS, end = SPS] = cut(slice('idr', 3_000), 1_000);
  const other = Buffer.concat([Buffer.from([0x7c, 1]), middle.subarray(2)]);
  const broken = [
    [first, middle],
    [middle, end],
    [first, first, middle, end],
    [first, other, end],
    [first, slice('idr', 100), end],
    [first, Buffer.from([0x7c]), end],
  ];
  for (const way of broken) {
    const feed = new Feed().picture(SPS, PPS, ...way).picture(SPS, PPS, first, middle, end);
    assert.equal(feed.keyframes, [true]);
    assert.is(feed.drops.of('damaged'), 1);
  }
});

test('small units go together', () => {
  const sets = pack([SPS, PPS]);
  assert.is(sets.length, 1);
  assert.is(sets[0]?.[0], 0x78);
  assert.equal(received(sets), [SPS, PPS]);
});

test.run();

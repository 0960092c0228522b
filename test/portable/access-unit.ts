import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nalUnits } from '../../src/engine/portable/access-unit.ts';

const test = suite('access units of the portable engine');

const sps = Buffer.from([0x67, 5, 6]);
const pps = Buffer.from([0x68, 7]);

function prefixed(...units: Buffer[]): Buffer {
  return Buffer.concat(
    units.flatMap((unit) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(unit.length);
      return [length, unit];
    }),
  );
}

test('start codes of three and four bytes, with zeros around, give the units alone', () => {
  const stream = [0, 0, 0, 0, 1, ...sps, 0, 0, 0, 1, ...pps, 0, 0, 0, 0, 0, 1, 0x65, 9, 0, 0];
  assert.equal(nalUnits(Buffer.from(stream)), [sps, pps, Buffer.from([0x65, 9])]);
});

test('lengths of every size are told from start codes', () => {
  for (let size = 2; size < 600; size++) {
    const unit = Buffer.alloc(size, 0x5a);
    unit[0] = 0x65;
    unit[1] = 0x88;
    assert.equal(nalUnits(prefixed(unit)), [unit], `AVCC, ${size}`);
    assert.equal(nalUnits(prefixed(sps, unit)), [sps, unit], `AVCC, ${size}`);
    assert.equal(nalUnits(Buffer.concat([Buffer.from([0, 0, 1]), unit])), [unit], `Annex B, ${size}`);
  }
});

test('a configuration record holds parameter sets, one cut short none', () => {
  const record = Buffer.from([1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 3, ...sps, 1, 0, 2, ...pps]);
  assert.equal(nalUnits(record), [sps, pps]);
  for (let length = 0; length < record.length; length++) assert.is(nalUnits(record.subarray(0, length)), undefined);
});

test('wrong lengths and nonsense are refused', () => {
  const right = prefixed(sps, pps);
  for (const [at, wrong] of [
    [3, 0],
    [3, 4],
    [3, 200],
    [10, 0],
    [10, 1],
    [10, 3],
  ] as const) {
    const data = Buffer.from(right);
    data[at] = wrong;
    assert.is(nalUnits(data), undefined, `byte ${at} is ${wrong}`);
  }
  for (const data of [[], [0], [0x65, 0x88], [0, 0, 0, 0, 0, 0, 0, 0]]) {
    assert.is(nalUnits(Buffer.from(data)), undefined);
  }
});

test.run();

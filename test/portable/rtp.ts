import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Reorder } from '../../src/engine/portable/order.ts';
import { parseRtcp, writeSenderReport } from '../../src/engine/portable/rtcp.ts';
import { isRtcp, parseRtp } from '../../src/engine/portable/rtp.ts';
import { middle, milliseconds, wallTime } from '../../src/engine/portable/time.ts';
import { garbage, rtp } from './support/packets.ts';

const test = suite('RTP and RTCP of the portable engine');

test('a packet is read without CSRCs, extension and padding', () => {
  const plain = rtp(Buffer.from('abc'), { sequence: 65_535, timestamp: 0xffff_fff0, marker: true, ssrc: 0xdead_beef });
  const { payload, ...facts } = parseRtp(plain) ?? {};
  assert.is(payload?.toString(), 'abc');
  const expected = { marker: true, payloadType: 96, sequence: 65_535, timestamp: 0xffff_fff0, ssrc: 0xdead_beef };
  assert.equal(facts, expected);
  const head = Buffer.from(plain.subarray(0, 12));
  head[0] = 0x80 | 0x20 | 0x10 | 2;
  const full = Buffer.concat([
    head,
    Buffer.alloc(8),
    Buffer.from([0xbe, 0xde, 0, 1, 1, 2, 3, 4]),
    Buffer.from('abc\0\x02'),
  ]);
  assert.is(parseRtp(full)?.payload.toString(), 'abc');
});

test('lengths that do not add up are refused', () => {
  const whole = rtp(Buffer.from('abcd'));
  for (let length = 0; length < 12; length++) assert.is(parseRtp(whole.subarray(0, length)), undefined);
  const flagged = (flags: number, ...rest: number[]) => {
    const packet = Buffer.concat([whole.subarray(0, 12), Buffer.from(rest)]);
    packet[0] = 0x80 | flags;
    return parseRtp(packet);
  };
  assert.is(flagged(0x0f, 1, 2, 3), undefined);
  assert.is(flagged(0x10, 0, 0, 0), undefined);
  assert.is(flagged(0x10, 0, 0, 0, 9, 1, 2, 3, 4), undefined);
  assert.is(flagged(0x20, 1, 0), undefined);
  assert.is(flagged(0x20, 1, 9), undefined);
  assert.is(parseRtp(Buffer.concat([Buffer.from([0x40]), whole.subarray(1)])), undefined);
});

test('garbage of every length is read or refused', () => {
  for (let length = 0; length <= 300; length++) {
    for (let seed = 1; seed <= 20; seed++) {
      const bytes = garbage(length, seed * 1000 + length);
      if (length > 0) bytes[0] = 0x80 | ((bytes[0] ?? 0) & 0x3f);
      const packet = parseRtp(bytes);
      if (packet) assert.ok(packet.payload.length + 12 <= length);
      for (const type of [200, 201, 203, 205, 206]) {
        if (length > 3) bytes.set([type, 0, Math.max(0, (length >> 2) - 1)], 1);
        for (const report of parseRtcp(bytes)) assert.type(report.type, 'string');
      }
    }
  }
});

test('a sender report comes back as it was written, with its name', () => {
  const ntp = { seconds: 3_900_000_000, fraction: 0x8000_0000 };
  for (const cname of ['', 'a', 'abcdef', 'x'.repeat(300)]) {
    const packet = writeSenderReport({ ssrc: 0xf000_0001, ntp, timestamp: 0xffff_ffff, packets: 3, octets: 4, cname });
    assert.is(packet.length % 4, 0);
    assert.ok(isRtcp(packet));
    assert.equal(parseRtcp(packet), [{ type: 'sender', ssrc: 0xf000_0001, ntp, timestamp: 0xffff_ffff }]);
    // RFC 3550 §6.5: the description fills its packet to the last byte, which is zero.
    assert.is(packet.readUInt16BE(30) * 4 + 4, packet.length - 28);
    assert.is(packet[37], Math.min(255, cname.length));
    assert.is(packet.at(-1), 0);
  }
  assert.is(middle(ntp), (((3_900_000_000 & 0xffff) << 16) | 0x8000) >>> 0);
  assert.is(milliseconds(ntp), 3_900_000_000_500);
});

test('wall time goes with the clock', () => {
  const span = milliseconds(wallTime(1_234.5)) - milliseconds(wallTime(234.25));
  assert.ok(Math.abs(span - 1_000.25) < 0.01);
  const unix = milliseconds(wallTime(performance.now())) - 2_208_988_800_000;
  assert.ok(Math.abs(unix - Date.now()) < 5_000);
});

test('feedback names its stream and what it lacks', () => {
  const nack = Buffer.from('81cd0004' + '00000009' + '00001001' + 'ffff0003' + '00100000', 'hex');
  const pli = Buffer.from('81ce0002' + '00000009' + '00001002', 'hex');
  const fir = Buffer.from('84ce0004' + '00000009' + '00000000' + '00001003' + '01000000', 'hex');
  const bye = Buffer.from('82cb0002' + '00001004' + '00001005', 'hex');
  const reception = `00001001${'40'}ffffff${'00000001'}00000050${'0001ffff'}00000042`;
  const receiver = Buffer.from(`81c90007${'00000009'}${reception}`, 'hex');
  assert.equal(parseRtcp(Buffer.concat([receiver, nack, pli, fir, bye])), [
    { type: 'reception', ssrc: 0x1001, fractionLost: 0.25, lost: 0, jitter: 0x50, lastReport: 0x1ffff, delay: 0x42 },
    { type: 'nack', ssrc: 0x1001, sequences: [65_535, 0, 1, 16] },
    { type: 'keyframe', ssrc: 0x1002 },
    { type: 'keyframe', ssrc: 0x1003 },
    { type: 'bye', ssrcs: [0x1004, 0x1005] },
  ]);
});

/** What comes out of a window, as one line. */
function window() {
  const told: (number | string)[] = [];
  const order = new Reorder<number>({
    packet: (packet) => told.push(packet),
    lost: (count) => told.push(`lost ${count}`),
    restart: () => told.push('restart'),
  });
  return { order, told };
}

test('packets come out in order, over the wrap of their numbers', () => {
  const { order, told } = window();
  for (const sequence of [65_533, 65_535, 65_534, 1, 0, 2]) order.push(sequence, sequence, 0);
  assert.equal(told, [65_533, 65_534, 65_535, 0, 1, 2]);
  assert.is(order.push(1, 1, 0), 'late');
  assert.is(order.push(65_535, 1, 0), 'late');
});

test('every start of numbering works, twice around', () => {
  const { order, told } = window();
  for (let index = 0; index < 140_000; index++) order.push((index + 7) & 0xffff, index, 0);
  assert.is(told.length, 140_000);
  assert.ok(told.every((packet, index) => packet === index));
});

test('a gap is waited for, then given up', () => {
  const { order, told } = window();
  for (const sequence of [10, 13, 12]) order.push(sequence, sequence, 0);
  assert.is(order.push(13, 13, 1), 'late');
  order.poll(39);
  assert.equal(told, [10]);
  order.poll(40);
  assert.equal(told, [10, 'lost 1', 12, 13]);
});

test('what is held is bounded', () => {
  const { order, told } = window();
  order.push(0, 0, 0);
  for (let sequence = 2; sequence < 400; sequence++) order.push(sequence, sequence, 0);
  assert.equal(told.slice(0, 3), [0, 'lost 1', 2]);
});

test('a stray packet is dropped, a jump of two begins anew', () => {
  const { order, told } = window();
  order.push(100, 1, 0);
  assert.is(order.push(30_000, 2, 0), 'stray');
  order.push(101, 3, 0);
  assert.is(order.push(40_000, 4, 0), 'stray');
  assert.is(order.push(40_001, 5, 0), undefined);
  assert.equal(told, [1, 3, 'restart', 5]);
});

test.run();

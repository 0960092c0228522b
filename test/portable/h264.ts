import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Bits } from '../../src/engine/portable/bits.ts';
import { annexB, readSlice, readUnits } from '../../src/engine/portable/h264.ts';
import { parseOpus } from '../../src/engine/portable/opus.ts';
import { parseRtp } from '../../src/engine/portable/rtp.ts';
import { parseSps } from '../../src/engine/portable/sps.ts';
import { clipSource } from '../../src/sources/clip.ts';
import { Feed, received } from './support/feed.ts';
import { garbage, PPS, rtp, SPS, slice } from './support/packets.ts';

const test = suite('H264 and Opus of the portable engine');

test('malformed payloads have names', () => {
  const broken = ['', '7c', '780005 01', '780000', '7800', '78', '1d0102', '1e01', '00', '780002 7c85', '7c9801'];
  for (const hex of broken) assert.is(readUnits(Buffer.from(hex.replaceAll(' ', ''), 'hex')), 'malformed', hex);
  assert.is(readUnits(Buffer.from('0000000165', 'hex')), 'annex-b');
  assert.is(readUnits(Buffer.from('00000165', 'hex')), 'annex-b');
});

test('a byte stream is taken apart at its start codes', () => {
  const stream = Buffer.from('00000001 0910 000001 6705 00000001 650707 000001'.replaceAll(' ', ''), 'hex');
  assert.equal(
    annexB(stream).map((unit) => unit.toString('hex')),
    ['0910', '6705', '650707'],
  );
  assert.equal(annexB(Buffer.from('010203', 'hex')), []);
});

test('Exponential-Golomb codes, and the byte that is no data', () => {
  const codes = new Bits(Buffer.from([0b1010_0110, 0b0100_0000]), 0);
  assert.equal(
    [1, 2, 3, 4].map(() => codes.unsigned()),
    [0, 1, 2, 3],
  );
  const signed = new Bits(Buffer.from([0b0100_1100, 0b1000_0101]), 0);
  assert.equal(
    [1, 2, 3].map(() => signed.signed()),
    [1, -1, 2],
  );
  assert.throws(() => new Bits(Buffer.alloc(8), 0).unsigned());
  assert.is(new Bits(Buffer.from([0, 0, 3, 1]), 0).bits(24), 1);
});

test('slices say where they begin and whether they look ahead', () => {
  const facts = (kind: 'idr' | 'p' | 'b') => readSlice(slice(kind).subarray(1));
  assert.equal(facts('p'), { firstMacroblock: 0, bidirectional: false });
  assert.equal(facts('idr'), { firstMacroblock: 0, bidirectional: false });
  assert.equal(facts('b'), { firstMacroblock: 0, bidirectional: true });
  assert.is(readSlice(Buffer.alloc(0)), undefined);
});

test('an SPS tells profile and size, as FFmpeg knows them; cut short it tells nothing', () => {
  const made: [hex: string, profileLevelId: string, width: number, height: number, odd?: 'fields' | 'pixels'][] = [
    [SPS.toString('hex'), '42c01e', 640, 360],
    ['67640028acd940780227e5c044000003000400000300f03c60c658', '640028', 1920, 1080],
    ['674d401feca06c1ef3780880000003008000001e078c18cb', '4d401f', 854, 480],
    ['67f4001e919b281405fdc5e022000003000200000300781e2c5b2c', 'f4001e', 638, 358, 'pixels'],
    ['6764001eacd940b424d8088000000300800000190f8a14cb', '64001e', 720, 576, 'fields'],
    // High 10 and High 4:2:2.
    ['676e000ca6cd941419f9f011000003000100000300320f142996', '6e000c', 320, 180, 'pixels'],
    ['677a000cbcd941419f8dc044000003000400000300c83c50a658', '7a000c', 320, 180, 'pixels'],
  ];
  for (const [hex, profileLevelId, width, height, odd] of made) {
    const unit = Buffer.from(hex, 'hex');
    const [interlaced, uncommonPixels] = [odd === 'fields', odd === 'pixels'];
    assert.equal(parseSps(unit), { id: 0, profileLevelId, width, height, interlaced, uncommonPixels });
    for (let length = 0; length < 10; length++) assert.is(parseSps(unit.subarray(0, length)), undefined);
  }
});

test('the SPS of the clip is read', () => {
  const { ingress } = clipSource();
  if (typeof ingress === 'function' || ingress.kind !== 'clip') throw new Error('the clip is no clip');
  const sps = annexB(Buffer.from(ingress.video)).find((unit) => ((unit[0] ?? 0) & 0x1f) === 7);
  assert.ok(sps);
  const { width, height } = parseSps(sps) ?? {};
  assert.equal([width, height], [640, 360]);
});

test('garbage of every length breaks no parser', () => {
  for (let length = 0; length <= 200; length++) {
    for (let seed = 1; seed <= 20; seed++) {
      const bytes = garbage(length, seed * 977 + length);
      readUnits(bytes);
      readSlice(bytes);
      parseSps(bytes);
      parseOpus(bytes);
      const units = annexB(bytes);
      assert.ok(units.every((unit) => unit.length > 0));
      for (const type of [0x67, 0x78, 0x7c, 0x68]) {
        if (length > 0) bytes[0] = type;
        parseSps(bytes);
        readUnits(bytes);
      }
    }
  }
});

test('Opus tells channels and duration', () => {
  const packet = (...bytes: number[]) => parseOpus(Buffer.from(bytes));
  assert.equal(packet(0xfc), { channels: 2, duration: 960 });
  assert.equal(packet(0x08), { channels: 1, duration: 960 });
  assert.equal(packet(0x7b, 0x03), { channels: 1, duration: 2_880 });
  assert.equal(packet(0x81), { channels: 1, duration: 240 });
  assert.is(packet(), undefined);
  assert.is(packet(0x03, 0x00), undefined);
  assert.is(packet(0x1b, 0x3f), undefined);
});

test('nothing comes out before a keyframe with its parameter sets', () => {
  const feed = new Feed().picture(slice('p')).picture(slice('idr'));
  assert.equal(feed.units, []);
  assert.equal(feed.drops.snapshot(), { 'awaiting-keyframe': 1, 'no-parameter-sets': 1 });
  feed.picture(SPS, PPS, slice('idr')).picture(slice('p'));
  assert.equal(feed.keyframes, [true, false]);
  assert.is(feed.units[0]?.sps?.profileLevelId, '42c01e');
});

test('parameter sets are put before a keyframe that lacks them', () => {
  const feed = new Feed().picture(SPS, PPS).picture(slice('idr'));
  assert.equal(feed.keyframes, [true]);
  assert.equal(received(feed.units[0]?.payloads ?? []), [SPS, PPS, slice('idr')]);
});

test('a damaged picture, and what follows it, waits for the next keyframe', () => {
  const feed = new Feed().picture(SPS, PPS, slice('idr'));
  feed.assembler.lost();
  feed.picture(slice('p')).picture(slice('p')).picture(SPS, PPS, slice('idr')).picture(slice('p'));
  assert.equal(feed.keyframes, [true, true, false]);
  const unfinished = Buffer.concat([Buffer.from([0x7c, 0x80 | 1]), slice('p').subarray(1)]);
  feed.picture(unfinished).picture(slice('p')).picture(SPS, PPS, slice('idr'));
  assert.equal(feed.keyframes, [true, true, false, true]);
  assert.is(feed.drops.of('damaged'), 1);
});

test('a picture without its marker ends where the next begins', () => {
  const feed = new Feed().picture(SPS, PPS, slice('idr'));
  const push = (payload: Buffer, timestamp: number) => {
    const packet = parseRtp(rtp(payload, { timestamp }));
    if (packet) feed.assembler.push(packet);
  };
  push(slice('p'), 9_000);
  push(slice('p'), 12_000);
  assert.is(feed.units.length, 2);
  assert.is(feed.units[1]?.timestamp, 9_000);
});

test('B-frames and start codes are noticed', () => {
  const feed = new Feed().picture(SPS, PPS, slice('idr')).picture(slice('b'));
  assert.equal(
    feed.units.map((unit) => unit.bidirectional),
    [false, true],
  );
  assert.not(feed.assembler.annexB);
  feed.picture(Buffer.from('0000000165', 'hex'));
  assert.ok(feed.assembler.annexB);
});

test('garbage of every length is dropped, and the stream goes on', () => {
  const feed = new Feed();
  for (let length = 0; length <= 200; length++) feed.picture(garbage(length, length + 1));
  const before = feed.units.length;
  feed.picture(SPS, PPS, slice('idr')).picture(slice('p'));
  assert.is(feed.units.length, before + 2);
});

test.run();

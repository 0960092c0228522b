import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { MediaLine } from '../../src/engine/port.ts';
import { type Frame, History, makePacket } from '../../src/engine/portable/frame.ts';
import { parseRtcp } from '../../src/engine/portable/rtcp.ts';
import { isRtcp, parseRtp, type RtpPacket } from '../../src/engine/portable/rtp.ts';
import { Track } from '../../src/engine/portable/track.ts';

const test = suite('what a viewer of the portable engine is sent');

const LINE: MediaLine = {
  kind: 'video',
  mid: '0',
  description: '',
  codec: 'h264',
  payloadType: 102,
  ssrc: 0xc0ffee,
  cname: 'name',
  extensions: {},
  nack: true,
};

/** A leg, a viewer of it, and what arrives there. */
class Scene {
  readonly history = new History();
  readonly arrived: Buffer[] = [];
  readonly track: Track;
  open = true;
  #number: number;
  #timestamp = 2 ** 40;

  constructor(line: MediaLine = LINE, first = 0) {
    this.#number = first;
    this.track = new Track(line, (packet) => {
      // The packet is the viewer's only until the next one is written.
      if (this.open) this.arrived.push(Buffer.from(packet));
      return this.open;
    });
  }

  frame(keyframe: boolean, ...payloads: string[]): Frame {
    this.#timestamp += 3_000;
    const packets = payloads.map((payload, index) => {
      const marker = index === payloads.length - 1;
      return makePacket(Buffer.from(payload), { number: this.#number++, marker, timestamp: this.#timestamp });
    });
    for (const packet of packets) this.history.add(packet);
    return { kind: 'video', keyframe, packets };
  }

  get packets(): RtpPacket[] {
    return this.arrived.flatMap((packet) => (isRtcp(packet) ? [] : (parseRtp(packet) ?? [])));
  }
}

test('nothing before a keyframe, everything after it, in the numbers of the answer', () => {
  const scene = new Scene();
  assert.is(scene.track.deliver(scene.frame(false, 'lost')), undefined);
  assert.not(scene.track.started);
  assert.is(scene.track.deliver(scene.frame(true, 'a', 'b')), 26);
  assert.is(scene.track.deliver(scene.frame(false, 'c')), 13);
  assert.ok(scene.track.started);
  assert.equal(
    scene.packets.map(({ payload, marker, ssrc, payloadType }) => [payload.toString(), marker, ssrc, payloadType]),
    [
      ['a', false, 0xc0ffee, 102],
      ['b', true, 0xc0ffee, 102],
      ['c', true, 0xc0ffee, 102],
    ],
  );
  const [a, b, c] = scene.packets;
  assert.is(((b?.sequence ?? 0) - (a?.sequence ?? 0)) & 0xffff, 1);
  assert.is(((c?.sequence ?? 0) - (b?.sequence ?? 0)) & 0xffff, 1);
  assert.is(a?.timestamp, b?.timestamp);
  assert.is(((c?.timestamp ?? 0) - (b?.timestamp ?? 0)) >>> 0, 3_000);
});

test('two viewers of one packet have numbers of their own', () => {
  const scene = new Scene();
  const other: Buffer[] = [];
  const second = new Track({ ...LINE, ssrc: 7, payloadType: 96 }, (packet) => other.push(Buffer.from(packet)) > 0);
  const frame = scene.frame(true, 'a');
  scene.track.deliver(frame);
  second.deliver(frame);
  const [mine] = scene.packets;
  const [theirs] = other.map((packet) => parseRtp(packet));
  assert.equal([mine?.ssrc, theirs?.ssrc], [0xc0ffee, 7]);
  assert.equal([mine?.payloadType, theirs?.payloadType], [102, 96]);
  assert.is(theirs?.payload.toString(), 'a');
  assert.ok(mine?.sequence !== theirs?.sequence || mine?.timestamp !== theirs?.timestamp);
});

test('a track that is not open yet begins with the next keyframe', () => {
  const scene = new Scene();
  scene.open = false;
  assert.is(scene.track.deliver(scene.frame(true, 'a')), undefined);
  scene.open = true;
  assert.is(scene.track.deliver(scene.frame(false, 'b')), undefined);
  scene.track.deliver(scene.frame(true, 'c'));
  assert.equal(
    scene.packets.map(({ payload }) => payload.toString()),
    ['c'],
  );
});

test('what a viewer lacks is sent again as it was, once in a round trip', () => {
  const scene = new Scene();
  scene.track.deliver(scene.frame(true, 'a', 'b'));
  const [a, b] = scene.packets.map(({ sequence }) => sequence);
  if (a === undefined || b === undefined) throw new Error('two packets were sent');
  const sent = scene.arrived.map((packet) => packet.toString('hex'));
  scene.arrived.length = 0;
  assert.is(scene.track.repair([b, a, b], scene.history, 50, 1_000), 2);
  assert.equal(scene.arrived.map((packet) => packet.toString('hex')).sort(), sent.sort());
  assert.is(scene.track.repair([a], scene.history, 50, 1_049), 0);
  assert.is(scene.track.repair([a], scene.history, 50, 1_050), 1);
});

test('numbers that were never sent, or are long gone, are left alone', () => {
  const scene = new Scene();
  scene.track.deliver(scene.frame(false, 'before'));
  scene.track.deliver(scene.frame(true, 'a'));
  const { sequence = 0 } = scene.packets[0] ?? {};
  scene.arrived.length = 0;
  const unknown = [-1, 1, 2, 1_000, 32_768, 40_000].map((step) => (sequence + step) & 0xffff);
  assert.is(scene.track.repair(unknown, scene.history, 0, 0), 0);
  for (let index = 0; index < 1_100; index++) scene.track.deliver(scene.frame(false, 'x'));
  assert.is(scene.track.repair([sequence], scene.history, 0, 0), 0);
});

test('repairs stay below a share of what is sent', () => {
  const scene = new Scene();
  const payload = 'x'.repeat(1_000);
  scene.track.deliver(scene.frame(true, ...Array.from({ length: 200 }, () => payload)));
  const sequences = scene.packets.map(({ sequence }) => sequence);
  let count = 0;
  for (let now = 0; now < 100_000; now += 1_000) count += scene.track.repair(sequences, scene.history, 0, now);
  assert.ok(count > 50 && count < 200, `${count} repairs`);
});

test('RTX has its own stream and carries the number before the payload', () => {
  const scene = new Scene({ ...LINE, rtx: { payloadType: 103, ssrc: 0xbeef } });
  scene.track.deliver(scene.frame(true, 'a', 'b'));
  const sent = scene.packets;
  scene.arrived.length = 0;
  assert.is(
    scene.track.repair(
      sent.map(({ sequence }) => sequence),
      scene.history,
      0,
      0,
    ),
    2,
  );
  scene.packets.forEach((again, index) => {
    const original = sent[index];
    assert.equal([again.ssrc, again.payloadType], [0xbeef, 103]);
    assert.is(again.payload.readUInt16BE(0), original?.sequence);
    assert.is(again.payload.toString('latin1', 2), original?.payload.toString());
    assert.equal([again.marker, again.timestamp], [original?.marker, original?.timestamp]);
  });
  const [first, second] = scene.packets;
  assert.is(((second?.sequence ?? 0) - (first?.sequence ?? 0)) & 0xffff, 1);
});

test('numbers wrap for packets, time stamps and repairs alike', () => {
  // Past every wrap of 16 bits, and time stamps past one of 32.
  const scene = new Scene(LINE, 65_000);
  let before: RtpPacket | undefined;
  for (let index = 0; index < 140_000; index++) {
    scene.track.deliver(scene.frame(true, `${index}`));
    const [packet] = scene.packets;
    scene.arrived.length = 0;
    if (packet === undefined) throw new Error('nothing was sent');
    if (before) {
      assert.is((packet.sequence - before.sequence) & 0xffff, 1);
      assert.is((packet.timestamp - before.timestamp) >>> 0, 3_000);
    }
    before = packet;
    if (index % 997 === 0) {
      scene.track.repair([packet.sequence], scene.history, 0, index * 1_000);
      assert.is(scene.packets[0]?.payload.toString(), `${index}`);
      scene.arrived.length = 0;
    }
  }
});

test('a sender report goes out with the first frame and every second', () => {
  const scene = new Scene();
  const ntp = { seconds: 1, fraction: 2 };
  scene.track.report(ntp, 2 ** 40, 0);
  assert.equal(scene.arrived, []);
  scene.track.deliver(scene.frame(true, 'abc'));
  const [packet] = scene.packets;
  scene.arrived.length = 0;
  for (const now of [100, 600, 1_099, 1_100, 1_200]) scene.track.report(ntp, 2 ** 40 + 3_000, now);
  const reports = scene.arrived.flatMap((each) => parseRtcp(each));
  const report = { type: 'sender', ssrc: 0xc0ffee, ntp, timestamp: packet?.timestamp };
  assert.equal(reports, [report, report]);
  assert.equal([scene.arrived[0]?.readUInt32BE(20), scene.arrived[0]?.readUInt32BE(24)], [1, 3]);
});

test.run();

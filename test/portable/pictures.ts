import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pack } from '../../src/engine/portable/h264.ts';
import { HEADER } from '../../src/engine/portable/rtp.ts';
import { PPS, rtp, SPS, slice } from './support/packets.ts';
import { encoder, HERE, Scene } from './support/scene.ts';

const test = suite('pictures of the portable engine');

test('padding alone and bytes behind an aggregate are no part of a picture', () => {
  const scene = new Scene(['video']);
  const length = (unit: Buffer) => Buffer.from([0, unit.length]);
  const sets = Buffer.concat([Buffer.from([0x78]), length(SPS), SPS, length(PPS), PPS]);
  for (const stray of [[0], [0, 0, 0, 0], []]) {
    scene.picture(0, [Buffer.concat([sets, Buffer.from(stray)]), slice('idr')]);
    scene.picture(1, [Buffer.alloc(0)]);
    scene.picture(2, [slice('p'), Buffer.alloc(0)]);
  }
  assert.equal(scene.drops, {});
  assert.is(scene.stream.facts(0).video?.gopFrames, 2);
});

/** A picture of four slices, each of which tells its number and fills two packets. */
function slices(number: number, idr: boolean): Buffer[] {
  // ue(v) 0, 1, 2 or 3 for the first macroblock, then slice type P and parameter set 0.
  return [0b1001_1010, 0b0100_0111, 0b0110_0111, 0b0010_0001].map((first) => {
    const unit = Buffer.alloc(2_000, first);
    unit.set([idr ? 0x65 : 0x41, first, 0xff, number]);
    return unit;
  });
}

/** Which slices a viewer has been given whole since the last call, and under which time stamps. */
function seen(scene: Scene): { number: number; first: number; timestamp: number }[] {
  return scene.taken().flatMap(({ bytes, timestamp }) => {
    const payload = bytes.subarray(HEADER);
    // The first fragment of a slice.
    const begins = ((payload[0] ?? 0) & 0x1f) === 28 && ((payload[1] ?? 0) & 0x80) !== 0;
    return begins ? [{ number: payload[4] ?? 0, first: payload[2] ?? 0, timestamp }] : [];
  });
}

/** Sends three GOPs of ten pictures, with a marker behind each slice or behind each picture alone. */
function sendSlices(scene: Scene, parts: boolean): number[] {
  const from = encoder();
  return Array.from({ length: 30 }, (_, number) => {
    const units = [...(number % 10 === 0 ? [SPS, PPS] : []), ...slices(number, number % 10 === 0)];
    from.timestamp = (from.timestamp + from.step) >>> 0;
    for (const [index, whole] of units.entries()) {
      const pieces = pack([whole]);
      for (const [at, payload] of pieces.entries()) {
        from.sequence = (from.sequence + 1) & 0xffff;
        const marker = at === pieces.length - 1 && (parts || index === units.length - 1);
        scene.stream.handleDatagram('video', rtp(payload, { ...from, marker }), HERE, number * 33);
      }
    }
    return seen(scene).length;
  });
}

test('a sender that marks each part of a picture is found out, and no other waits', () => {
  assert.equal(sendSlices(new Scene(['video']), false), new Array(30).fill(4));
  const counts = sendSlices(new Scene(['video']), true);
  // The first picture shows it and goes out in parts; the next keyframe begins anew, and each comes a picture later.
  assert.equal(counts, [1, ...new Array(10).fill(0), ...new Array(19).fill(4)]);
});

test('all parts of a picture have its time stamp, and its end alone the marker', () => {
  const scene = new Scene(['video']);
  const from = encoder();
  const all: { timestamp: number; marker: boolean }[] = [];
  for (let number = 0; number < 12; number++) {
    // Each too large to share a packet with another.
    const units = slices(number, number % 4 === 0).map((unit) => unit.subarray(0, 700));
    scene.picture(number * 33, number % 4 === 0 ? [SPS, PPS, ...units] : units, from, HERE, 'each');
    all.push(...scene.taken());
  }
  const whole = all.slice(all.findIndex(({ timestamp }) => timestamp > (all[0]?.timestamp ?? 0)));
  const stamps = [...new Set(whole.map(({ timestamp }) => timestamp))];
  assert.is(stamps.length, 7, 'pictures 4 to 10');
  for (const stamp of stamps) {
    const markers = whole.filter(({ timestamp }) => timestamp === stamp).map(({ marker }) => marker);
    assert.ok(markers.length >= 4);
    assert.equal(markers, [...new Array(markers.length - 1).fill(false), true]);
  }
});

test('where parts are marked, the beginning of a picture ends the last one even under its time stamp', () => {
  const scene = new Scene(['video']);
  const from = encoder();
  const send = (number: number) => {
    const units = slices(number, true).map((unit) => unit.subarray(0, 50));
    scene.picture(number, [SPS, PPS, ...units], from, HERE, 'each');
    return scene.pictures();
  };
  send(0);
  send(1);
  from.step = 0;
  assert.equal([send(2), send(3)], [1, 1]);
});

test('who follows a sender that marks parts is trusted again', () => {
  const scene = new Scene(['video']);
  const units = slices(0, true).map((unit) => unit.subarray(0, 50));
  scene.picture(0, [SPS, PPS, ...units], encoder(), HERE, 'each');
  scene.taken();
  const next = encoder({ ssrc: 2 });
  for (let number = 0; number < 3; number++) {
    scene.keyframe(33 + number, next);
    assert.is(scene.pictures(), 1, 'at once');
  }
});

test('a stream that begins in mid-picture under the last time stamp marks no parts', () => {
  const scene = new Scene(['video']);
  scene.keyframe(0);
  scene.taken();
  const next = encoder({ ssrc: 2, timestamp: (scene.encoder.timestamp - 3_000) >>> 0 });
  const [, second = Buffer.alloc(0)] = slices(0, true);
  scene.picture(33, [second.subarray(0, 50)], next);
  scene.taken();
  for (let number = 0; number < 3; number++) {
    scene.keyframe(66 + number, next);
    assert.is(scene.pictures(), 1, 'at once');
  }
});

test('pictures under one time stamp get several', () => {
  const scene = new Scene(['video']);
  const from = encoder({ step: 0 });
  for (let number = 0; number < 20; number++) scene.picture(number * 33, [SPS, PPS, slice('idr')], from);
  const stamps = scene.taken().flatMap(({ marker, timestamp }) => (marker ? [timestamp] : []));
  assert.equal(
    stamps.map((stamp) => stamp - (stamps[0] ?? 0)),
    Array.from({ length: 20 }, (_, number) => number),
  );
});

test('the frame rate is right with B-frames too', () => {
  const scene = new Scene(['video']);
  for (let number = 0; number < 120; number++) {
    // Shown in the order 0 2 3 1 5 6 4 and so on.
    const shown = number % 3 === 1 ? number + 2 : Math.max(0, number - 1);
    const from = encoder({ sequence: number * 4, timestamp: shown * 3_000, step: 0 });
    scene.picture(number * 33, number === 0 ? [SPS, PPS, slice('idr')] : [slice('p')], {
      ...from,
      sequence: number + 3,
    });
  }
  const rate = scene.stream.facts(0).video?.framesPerSecond ?? 0;
  assert.ok(rate > 26 && rate < 35, `${rate} frames a second`);
});

test.run();

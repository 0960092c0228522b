import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PPS, SPS, slice } from './support/packets.ts';
import { encoder, Scene } from './support/scene.ts';

const test = suite('what the portable engine says of its input');

test('what an encoder does wrong is said once, with its cure', () => {
  const scene = new Scene(['video']);
  scene.picture(0, [slice('idr')]);
  scene.keyframe(10);
  scene.picture(20, [slice('b')]);
  scene.picture(30, [Buffer.from('0000000165', 'hex')]);
  for (const now of [40, 60]) scene.stream.poll(now);
  assert.equal(scene.warnings, ['b-frames', 'annex-b', 'no-parameter-sets']);
  assert.is(scene.events.filter((event) => event.type === 'warning').length, 3);
});

test('H265 is named and no GOP is blamed', () => {
  const scene = new Scene(['video']);
  for (let now = 0; now < 12_000; now += 100) {
    scene.picture(
      now,
      [Buffer.from([0x40, 1, 0x0c, 1]), Buffer.from([0x62, 1, 0x93, 1])],
      encoder({
        sequence: now / 50,
        timestamp: now * 90,
      }),
    );
    scene.stream.poll(now);
  }
  assert.equal(scene.warnings, ['h265']);
});

test('pictures that few players can show are warned of', () => {
  // High 10, High 4:2:2 and High with fields, as x264 writes them.
  const made: [hex: string, code: string][] = [
    ['676e000ca6cd941419f9f011000003000100000300320f142996', 'pixel-format'],
    ['677a000cbcd941419f8dc044000003000400000300c83c50a658', 'pixel-format'],
    ['67640015acd941433f2602200000030020000006 43e28532c0'.replace(' ', ''), 'interlaced'],
  ];
  for (const [hex, code] of made) {
    const scene = new Scene(['video']);
    scene.picture(0, [Buffer.from(hex, 'hex'), PPS, slice('idr')]);
    scene.stream.poll(1);
    assert.equal(scene.warnings, [code]);
  }
});

test('a change of the profile is warned of, one of the level is not', () => {
  const scene = new Scene(['video']);
  const changed = (at: number, value: number) => {
    const sps = Buffer.from(SPS);
    sps[at] = value;
    return sps;
  };
  for (const [sps, warnings] of [
    [SPS, []],
    [changed(3, 0x1f), []],
    [changed(1, 0x4d), ['profile-changed']],
  ] as const) {
    scene.picture(0, [sps, PPS, slice('idr')]);
    scene.stream.poll(1);
    assert.equal(scene.warnings, warnings);
  }
});

/** Sends pictures for 20 s, one after each `interval` in milliseconds; the time stamps jump by `jump` at 8 s. */
function paced(step: number, interval = 100 / 3, jump = 0): Scene {
  const scene = new Scene(['video']);
  const from = encoder({ step });
  let jumped = false;
  for (let now = 0; now < 20_000; now += interval) {
    if (now > 8_000 && !jumped) {
      from.timestamp = (from.timestamp + jump) >>> 0;
      jumped = true;
    }
    scene.keyframe(now, from);
    scene.stream.poll(now);
  }
  return scene;
}

test('time stamps that do not run as time does are warned of', () => {
  for (const step of [0, 33, 1_500, 6_000]) assert.equal(paced(step).warnings, ['wrong-pace'], `${step} for 3000`);
  for (const step of [2_700, 3_000, 3_300]) assert.equal(paced(step).warnings, [], `${step} for 3000`);
  for (const jump of [720_000, 900_000, -900_000]) assert.equal(paced(3_000, 100 / 3, jump).warnings, [], `${jump}`);
  assert.equal(paced(450_000, 5_000).warnings, [], 'one picture in five seconds');
});

test('who pauses may stop the clock', () => {
  const scene = new Scene(['video']);
  for (let round = 0; round < 4; round++) scene.play(round * 21_000, 30);
  assert.equal(scene.warnings, []);
});

/** The state of the video leg, by its events. */
function states(scene: Scene): string[] {
  return scene.events.flatMap((event) =>
    event.type === 'leg-active' || event.type === 'leg-inactive' ? [event.type] : [],
  );
}

test('a camera of one picture in five seconds is live from the second one on, and silent when it stops', () => {
  const scene = new Scene(['video']);
  const from = encoder({ step: 450_000 });
  let now = 0;
  scene.keyframe(now, from);
  const wait = (time: number) => {
    for (const end = now + time; now < end; now += 100) scene.stream.poll(now);
  };
  for (let number = 0; number < 12; number++) {
    wait(4_700 + 300 * (number % 3));
    scene.keyframe(now, from);
  }
  assert.equal(states(scene), ['leg-active', 'leg-inactive', 'leg-active']);
  wait(14_000);
  assert.equal(states(scene).slice(3), ['leg-inactive']);
  assert.equal([scene.drops, scene.warnings], [{}, []]);
});

test('one hitch makes no slow camera, and no camera is waited for for ever', () => {
  const hitch = new Scene(['video']);
  const end = hitch.play(0, 30);
  hitch.stream.poll(end + 9_000);
  hitch.play(end + 10_000, 1);
  hitch.stream.poll(end + 12_000);
  assert.equal(states(hitch), ['leg-active', 'leg-inactive', 'leg-active', 'leg-inactive']);
  const slow = new Scene(['video']);
  for (const now of [0, 60_000, 120_000]) slow.keyframe(now);
  slow.stream.poll(150_000);
  assert.is(states(slow).at(-1), 'leg-inactive');
});

test('a keyframe that does not come is missed ten seconds after the last, or after the leg began', () => {
  const scene = new Scene(['video']);
  // Ten seconds of nothing, and what comes then, are no reason.
  const end = scene.play(0, 30);
  scene.stream.poll(end + 2_000);
  scene.stream.poll(end + 20_000);
  scene.picture(end + 20_000, [slice('p')], encoder({ ssrc: 2 }));
  scene.stream.poll(end + 20_010);
  assert.equal(scene.warnings, []);
  for (let index = 0; index < 330; index++) {
    const now = end + 20_020 + index * 33;
    scene.picture(
      now,
      [slice('p')],
      encoder({ ssrc: 2, sequence: index + 65_531, timestamp: 0xffff_0000 + index * 2_970 }),
    );
    scene.stream.poll(now);
    assert.equal(scene.warnings, now < end + 30_000 ? [] : ['no-keyframe'], `at ${now - end}`);
  }
});

test.run();

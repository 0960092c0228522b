import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { rtp, slice } from './support/packets.ts';
import { bye, type Encoder, encoder, HERE, Scene, THERE } from './support/scene.ts';

const test = suite('who sends to the portable engine');

const ACTIVE = { type: 'leg-active', stream: 'cam1', leg: 'video' };
const GONE = { type: 'leg-inactive', stream: 'cam1', leg: 'video', reason: 'bye' };

/** As `Scene.play`, but gives how many pictures came through. */
function through(scene: Scene, now: number, count: number, from?: Encoder, address = HERE): number {
  let pictures = 0;
  for (let index = 0; index < count; index += 30) {
    scene.play(now + index * (100 / 3), Math.min(30, count - index), from, address);
    pictures += scene.pictures();
  }
  return pictures;
}

test('a goodbye ends the leg that its SSRC names, and lets another sender begin at once', () => {
  const scene = new Scene();
  scene.keyframe(0);
  scene.stream.handleDatagram('audio', bye(1), HERE, 10);
  assert.equal(scene.events.at(-1), GONE);
  // A straggler does not hold the leg.
  scene.picture(15, [slice('p')]);
  scene.keyframe(20, encoder({ ssrc: 9 }), THERE);
  assert.equal(scene.events.at(-1), ACTIVE);
});

test('who goes on after a goodbye is back without a gap, and leaves with the next', () => {
  const scene = new Scene(['video']);
  assert.is(through(scene, 0, 10), 10);
  scene.stream.handleDatagram('video', bye(1), HERE, 340);
  scene.picture(400, [slice('p')]);
  assert.is(scene.stream.facts(400).video?.active, false, 'a straggler is no sign of life');
  assert.is(scene.pictures(), 1, 'but not lost');
  assert.is(through(scene, 433, 60), 60);
  assert.is(scene.stream.facts(2_400).video?.active, true);
  scene.stream.handleDatagram('video', bye(1), HERE, 2_500);
  assert.equal(scene.events, [ACTIVE, GONE, ACTIVE, GONE]);
});

test('an encoder that begins anew under the same SSRC is recognised', () => {
  for (const goodbye of [true, false]) {
    for (const pause of [0, 700, 1_900, 2_100, 10_000]) {
      for (const back of [1, 500, 2_900, 20_000]) {
        const scene = new Scene(['video']);
        const since = scene.play(0, 60);
        scene.taken();
        if (goodbye) scene.stream.handleDatagram('video', bye(1), HERE, since);
        const { sequence, timestamp } = scene.encoder;
        const next = encoder({ sequence: (sequence - back) & 0xffff, timestamp: (timestamp + 123_456_789) >>> 0 });
        const seen = through(scene, since + pause, 120, next);
        const name = `${back} numbers back after ${pause} ms, goodbye: ${goodbye}`;
        // The first of two packets far away is a stray, but after a silence or a goodbye.
        if (pause >= 2_000 || (goodbye && pause > 0)) assert.is(seen, 120, name);
        else assert.ok(seen >= 60, `${name}: ${seen} pictures`);
        assert.equal(scene.events.at(-1), ACTIVE, name);
      }
    }
  }
});

test('late repetitions are no beginning', () => {
  const scene = new Scene(['video']);
  const { sequence, timestamp } = scene.encoder;
  scene.play(0, 20);
  assert.is(scene.pictures(), 20);
  // The same again, between packets that are new.
  const again = encoder({ sequence, timestamp });
  for (let index = 0; index < 20; index++) {
    const now = 700 + index * 33;
    scene.picture(now, [slice('p')], again);
    scene.picture(now, [slice('p')]);
  }
  assert.is(scene.pictures(), 20);
  assert.equal(scene.drops, { late: 20 });
});

test('packets behind the next one are a beginning when they are in order, or when nothing else comes', () => {
  for (const [inOrder, after] of [
    [true, 400],
    [false, 2_000],
  ] as const) {
    const scene = new Scene(['video']);
    scene.play(0, 20);
    scene.taken();
    let now = 1_000;
    while (scene.pictures() === 0 && now < 9_000) {
      now += 20;
      const step = (now - 1_000) / 20;
      scene.keyframe(now, encoder({ sequence: inOrder ? 64_000 + step * 3 : 64_000 - step * 3, timestamp: now * 90 }));
    }
    assert.ok(now - 1_000 <= after + 100 && now - 1_000 > after / 2, `in order: ${inOrder}, after ${now - 1_000} ms`);
  }
});

test('the first sender holds a leg until it is silent', () => {
  const scene = new Scene(['video']);
  scene.keyframe(0);
  const other = encoder({ ssrc: 9 });
  scene.picture(100, [slice('p')], other, THERE);
  assert.is(scene.drops['foreign-sender'], 1);
  scene.picture(2_100, [slice('p')], other, THERE);
  assert.is(scene.drops['foreign-sender'], 1);
  assert.is(scene.drops['awaiting-keyframe'], 1);
});

test('a sender that moves has lost nothing', () => {
  const scene = new Scene(['video']);
  const since = scene.play(0, 30);
  scene.taken();
  assert.ok(through(scene, since, 120, scene.encoder, THERE) >= 30, 'from the first keyframe after two seconds on');
  assert.ok((scene.drops['foreign-sender'] ?? 0) > 50);
  assert.is(scene.drops.lost, undefined);
  assert.equal(scene.warnings, []);
});

test('other payload types among the numbers are not lost packets, and nobody waits for them', () => {
  const scene = new Scene(['video']);
  const correction = () => {
    scene.encoder.sequence = (scene.encoder.sequence + 1) & 0xffff;
    return rtp(Buffer.alloc(40), { ...scene.encoder, payloadType: 122 });
  };
  for (let index = 0; index < 90; index++) {
    const now = index * 33;
    if (index % 30 === 0) scene.keyframe(now);
    else scene.picture(now, [slice('p')]);
    assert.is(scene.pictures(), 1, 'at once');
    const overtaken = correction();
    // Every other one is overtaken by the next picture.
    if (index % 2 === 0) {
      scene.stream.handleDatagram('video', overtaken, HERE, now);
    } else {
      scene.picture(now + 1, [slice('p')]);
      scene.stream.handleDatagram('video', overtaken, HERE, now + 2);
      assert.is(scene.pictures(), 1, 'as soon as the number is known to carry nothing');
    }
    scene.stream.poll(now);
  }
  assert.equal(scene.drops, { 'payload-type': 90 });
  scene.stream.poll(10_000);
  assert.equal(scene.warnings, []);
});

test('what carries nothing is not counted as lost beside what is', () => {
  const scene = new Scene(['video']);
  scene.keyframe(0);
  const { sequence } = scene.encoder;
  scene.stream.handleDatagram(
    'video',
    rtp(Buffer.alloc(9), { ...scene.encoder, sequence: sequence + 2, payloadType: 122 }),
    HERE,
    1,
  );
  // Numbers 1 and 3 behind the keyframe never come.
  scene.encoder.sequence = (sequence + 3) & 0xffff;
  scene.keyframe(33);
  scene.stream.poll(100);
  assert.equal(scene.drops, { 'payload-type': 1, lost: 2 });
});

test('of several streams of one sender one is taken', () => {
  const scene = new Scene(['video']);
  const layers = [1, 2, 3].map((ssrc) => encoder({ ssrc, sequence: ssrc * 1_000 }));
  const [first, second] = layers;
  const taken: number[] = [];
  for (let index = 0; index < 90; index++) {
    for (const layer of layers) {
      if (index % 30 === 0) scene.keyframe(index * 33, layer);
      else scene.picture(index * 33, [slice('p')], layer);
    }
    scene.stream.poll(index * 33);
    taken.push(scene.pictures());
  }
  // Each takes over from the one before with its first picture.
  assert.equal(taken, [3, ...new Array(89).fill(1)]);
  assert.ok((scene.drops['other-stream'] ?? 0) > 100);
  assert.equal(scene.warnings, ['several-streams']);
  // The one that was taken leaves: another is there at once, from its next keyframe on.
  scene.stream.handleDatagram('video', bye(3), HERE, 3_000);
  assert.is(through(scene, 3_010, 60, first), 60);
  // It falls silent: a further one comes after two seconds.
  assert.ok(through(scene, 5_010, 120, second) >= 30);
});

test('a stream that takes over again and again costs no picture', () => {
  const scene = new Scene(['video']);
  let seen = 0;
  for (let number = 0; number < 20; number++) seen += through(scene, number * 1_000, 30, encoder({ ssrc: number + 1 }));
  assert.is(seen, 600);
  assert.equal(scene.events, [ACTIVE]);
});

test('so many streams that were taken over from are remembered', () => {
  const scene = new Scene(['video']);
  for (let ssrc = 0; ssrc < 10; ssrc++) scene.keyframe(1, encoder({ ssrc }));
  scene.keyframe(1, encoder({ ssrc: 1 }));
  assert.equal(scene.drops, { 'other-stream': 3 });
  scene.taken();
  scene.keyframe(1, encoder({ ssrc: 0 }));
  assert.is(scene.pictures(), 1, 'long forgotten');
});

test.run();

import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseOpus } from '../../src/engine/portable/opus.ts';
import { MAX_SOUND } from '../../src/engine/portable/rtp.ts';
import { garbage, rtp } from './support/packets.ts';
import { HERE, Scene } from './support/scene.ts';

const test = suite('sound of the portable engine');

const OPUS = Buffer.from([0xfc, 1, 2, 3]);

interface Spoken {
  payloadType?: number;
  /** Ticks. */
  step?: number;
  count?: number;
  /** Milliseconds. */
  interval?: number;
  packet?: (number: number) => Buffer;
}

/** What has had so many packets. */
function spoken({ payloadType = 97, step = 960, count = 100, interval = 20, packet = () => OPUS }: Spoken): Scene {
  const scene = new Scene(['audio']);
  for (let number = 0; number < count; number++) {
    const facts = { sequence: number, timestamp: (number * step) >>> 0, payloadType };
    scene.stream.handleDatagram('audio', rtp(packet(number), facts), HERE, number * interval);
    scene.stream.poll(number * interval);
  }
  return scene;
}

/** The text of each warning of what is no Opus. */
function named(scene: Scene): string[] {
  return scene.stream.snapshot(0).warnings.flatMap(({ code, text }) => (code === 'not-opus' ? [text] : []));
}

function dropped(scene: Scene): Record<string, number> | undefined {
  return scene.stream.snapshot(0).audio?.dropped;
}

test('AAC in the place of Opus is recognised, also with several frames in a packet', () => {
  for (const frames of [1, 4]) {
    const scene = spoken({ step: frames * 1_024, interval: frames * 21, count: 20 });
    assert.equal(dropped(scene), { 'wrong-codec': 10 });
    assert.match(named(scene).join(), /AAC.*-c:a libopus/);
    assert.is(scene.events.filter((event) => event.type === 'warning').length, 1);
  }
  for (const step of [120, 240, 480, 960, 1_920, 2_880, 5_760, 15_360]) {
    assert.equal(named(spoken({ step, count: 20 })), [], `a step of ${step}`);
  }
});

test('what is no Opus is named and goes no further', () => {
  const names: [payloadType: number, name: RegExp][] = [
    [0, /G\.711/],
    [8, /G\.711/],
    [9, /G\.722/],
    [10, /L16/],
    [11, /L16/],
    [14, /MPEG/],
    [18, /not Opus/],
  ];
  for (const [payloadType, name] of names) {
    const scene = spoken({ payloadType, step: 160, packet: (number) => garbage(160, number) });
    assert.match(named(scene).join(), name);
    assert.equal([dropped(scene), scene.taken('audio').length], [{ 'wrong-codec': 100 }, 0]);
    assert.is(scene.stream.facts(0).audio?.wrongCodec, true);
  }
});

test('G.711 and L16 under a payload type of no meaning are told by their bytes or steps', () => {
  for (const [step, size] of [
    [160, 160],
    [480, 960],
    [882, 1_000],
    [960, 1_300],
  ] as const) {
    const scene = spoken({ step, packet: (number) => garbage(size, number * 7_919 + size) });
    assert.is(named(scene).length, 1, `steps of ${step}`);
    assert.ok(scene.taken('audio').length < 30, `steps of ${step}`);
  }
  // Even where all bytes make sense.
  assert.is(named(spoken({ step: 441 })).length, 1);
});

test('Opus that follows something else is heard', () => {
  const noise = (number: number) => garbage(960, number * 7_919);
  const opus = Buffer.from([0xf0, 1, 2]);
  const scene = spoken({
    step: 480,
    interval: 10,
    count: 250,
    packet: (number) => (number < 100 ? noise(number) : opus),
  });
  const heard = scene.taken('audio').filter(({ bytes }) => bytes.length === 12 + opus.length);
  assert.ok(heard.length >= 70, `${heard.length} packets`);
  assert.is(scene.stream.facts(0).audio?.wrongCodec, false);
});

test('Opus of every kind is Opus', () => {
  for (let first = 0; first < 256; first++) {
    // Two frames are of one size.
    const size = 100 + 2 * (first % 50) + ((first & 3) === 3 ? 0 : 1);
    const head = Buffer.from([first, 2]);
    const step = parseOpus(Buffer.concat([head, Buffer.alloc(size - 2, 1)]))?.duration;
    const packet = (number: number) => Buffer.concat([head, garbage(size - 2, number)]);
    const scene = spoken({ step: step ?? 0, packet });
    assert.equal([scene.taken('audio').length, named(scene)], [100, []], `first byte ${first}`);
  }
});

test('large Opus packets are forwarded while they fit', () => {
  // Two frames of one size, where one alone cannot be so large.
  const packet = (size: number) => () => Buffer.concat([Buffer.from([0b1111_0001]), Buffer.alloc(size - 1, 1)]);
  for (const size of [1_201, 1_275, MAX_SOUND - 1]) {
    const scene = spoken({ packet: packet(size) });
    assert.equal([scene.taken('audio').length, scene.warnings], [100, []], `${size} bytes`);
  }
  const scene = spoken({ packet: packet(MAX_SOUND + 1) });
  assert.equal([dropped(scene), scene.warnings], [{ oversized: 100 }, ['large-sound']]);
});

test('frames have to add up', () => {
  const isValid = (head: number[], rest: number) =>
    parseOpus(Buffer.concat([Buffer.from(head), Buffer.alloc(rest, 7)])) !== undefined;
  const valid: [head: number[], rest: number][] = [
    // One frame, two of a size, two of two sizes.
    [[0xf8], 1_275],
    [[0xf9], 2_550],
    [[0xfa, 9], 9],
    [[0xfa, 252, 2], 260],
    // Three of a size, of their own sizes, with padding of 300 bytes.
    [[0xfb, 3], 9],
    [[0xfb, 0x83, 1, 2], 3],
    [[0xfb, 0x43, 255, 46], 303],
    [[0xfb, 0x43, 255, 46], 300],
  ];
  for (const [head, rest] of valid) assert.ok(isValid(head, rest), `${head} and ${rest}`);
  const invalid: [head: number[], rest: number][] = [
    [[0xf8], 1_276],
    [[0xf9], 2_551],
    [[0xf9], 2_552],
    [[0xfa, 9], 8],
    [[0xfa], 0],
    [[0xfa, 252, 2], 259],
    [[0xfa, 252], 0],
    [[0xfa, 0], 1_276],
    [[0xfb], 0],
    [[0xfb, 0], 0],
    [[0xfb, 3], 10],
    [[0xfb, 3], 3 * 1_275 + 3],
    [[0xfb, 0x83, 1, 2], 2],
    [[0xfb, 0x83, 1], 0],
    [[0xfb, 0x43, 255, 46], 301],
    [[0xfb, 0x43, 255, 46], 299],
    [[0xfb, 0x43], 0],
    [[0xfb, 0x43, 255], 0],
  ];
  for (const [head, rest] of invalid) assert.not(isValid(head, rest), `${head} and ${rest}`);
});

test('silence breaks no time stamps, a gap does', () => {
  const scene = new Scene(['audio']);
  let now = 0;
  const hear = (number: number, packet: Buffer, pause: number) => {
    const facts = { sequence: number, timestamp: now * 48 };
    scene.stream.handleDatagram('audio', rtp(packet, facts), HERE, now);
    now += pause;
  };
  // Ten packets, then ten in 400 ms each that say that nothing is said.
  for (let number = 0; number < 100; number++) {
    const silent = number % 20 >= 10;
    hear(number, silent ? OPUS.subarray(0, 1) : OPUS, silent ? 400 : 20);
  }
  assert.is(scene.stream.facts(now).audio?.timestampBreaks, 0);
  // Half a second is missing after each 25th packet.
  for (let number = 100; number < 200; number++) hear(number, OPUS, number % 25 === 24 ? 520 : 20);
  hear(200, OPUS, 20);
  assert.is(scene.stream.facts(now).audio?.timestampBreaks, 4);
  assert.equal([scene.taken('audio').length, named(scene)], [201, []]);
});

test.run();

import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LegKind } from '../../src/engine/port.ts';
import { parseClip } from '../../src/engine/portable/clip.ts';
import { StreamClock, Timeline } from '../../src/engine/portable/clock.ts';
import { writeSenderReport } from '../../src/engine/portable/rtcp.ts';
import { clipSource } from '../../src/sources/clip.ts';
import { garbage, PPS, rtp, SPS, slice } from './support/packets.ts';
import { HERE, Scene } from './support/scene.ts';

const test = suite('a stream of the portable engine');

const OPUS = Buffer.from([0xfc, 1, 2, 3]);

test('facts come from what arrives, over the wraps of numbers and time stamps', () => {
  const scene = new Scene();
  for (let frame = 0; frame < 60; frame++) {
    const now = frame * (100 / 3);
    if (frame % 30 === 0) scene.keyframe(now);
    else scene.picture(now, [slice('p')]);
    scene.stream.handleDatagram('audio', rtp(OPUS, { sequence: frame, timestamp: frame * 960, ssrc: 2 }), HERE, now);
  }
  const { video, audio } = scene.stream.facts(3_000);
  assert.equal(
    [video?.active, video?.parameters?.['profile-level-id'], video?.width, video?.height, video?.bFrames],
    [true, '42c01e', 640, 360, false],
  );
  assert.is(Math.round(video?.framesPerSecond ?? 0), 30);
  assert.is(video?.gopFrames, 30);
  assert.ok(Math.abs((video?.gopSeconds ?? 0) - 1) < 0.001);
  assert.ok(Math.abs((video?.keyframeAge ?? 0) - 2) < 0.001);
  assert.equal(audio, { active: true, codec: 'opus', wrongCodec: false, timestampBreaks: 0, channels: 2 });
  assert.equal(scene.drops, {});
  assert.equal(
    scene.events.map((event) => event.type),
    ['leg-active', 'leg-active'],
  );
});

test('a leg falls silent, and comes back', () => {
  const scene = new Scene(['video']);
  scene.keyframe(0);
  scene.stream.poll(1_999);
  scene.stream.poll(2_000);
  scene.stream.poll(3_000);
  scene.keyframe(4_000);
  assert.equal(scene.events, [
    { type: 'leg-active', stream: 'cam1', leg: 'video' },
    { type: 'leg-inactive', stream: 'cam1', leg: 'video', reason: 'silent' },
    { type: 'leg-active', stream: 'cam1', leg: 'video' },
  ]);
});

test('garbage of every length is dropped and counted, and the stream goes on', () => {
  const scene = new Scene();
  scene.keyframe(0);
  for (let length = 0; length <= 300; length++) {
    for (const kind of ['video', 'audio'] as const) {
      const bytes = garbage(length, length + 7);
      scene.stream.handleDatagram(kind, bytes, HERE, 1);
      if (length > 1) bytes.set([0x80, 200 + (length % 8)]);
      scene.stream.handleDatagram(kind, bytes, HERE, 1);
    }
  }
  scene.keyframe(2);
  assert.ok((scene.drops.malformed ?? 0) > 100);
  assert.is(scene.stream.facts(2).video?.parameters?.['profile-level-id'], '42c01e');
  assert.is(scene.stream.facts(2).video?.active, true);
});

test('time stamps go on over wraps, jumps and restarts', () => {
  const line = new Timeline('video');
  const first = line.map(0xffff_ff00, 0).timestamp;
  assert.equal(line.map(0x100, 5), { timestamp: first + 512, jumped: false });
  assert.is(line.project(0x200), first + 768);
  // Ten seconds that did not pass.
  const jump = line.map(0x100 + 900_000, 10);
  assert.equal(jump, { timestamp: first + 512 + 450, jumped: true });
  // Two seconds that did not pass, and two in which nothing came.
  assert.is(line.map(0x100 + 900_000 + 183_000, 43).jumped, true);
  assert.is(line.map(0x100 + 900_000 + 186_000, 2_076).jumped, false);
  const last = line.map(0x100 + 900_000 + 189_000, 2_109);
  line.restart();
  assert.is(line.project(0), undefined);
  assert.equal(line.map(5, 2_119), { timestamp: last.timestamp + 900, jumped: true });
});

test("both legs share the source's clock", () => {
  const clock = new StreamClock();
  assert.is(clock.at('video', 0), undefined);
  const seconds = 3_900_000_000;
  // Sound arrives 20 ms after its capture, pictures 120 ms after.
  clock.report('audio', { seconds, fraction: 0 }, 48_000);
  clock.report('video', { seconds, fraction: 0 }, 90_000);
  for (let tick = 0; tick < 50; tick++) {
    clock.observe('audio', 48_000 + tick * 960, 1_020 + tick * 20);
    clock.observe('video', 90_000 + tick * 1_800, 1_120 + tick * 20);
  }
  const now = 3_000;
  const captured = { audio: (clock.at('audio', now) ?? 0) / 48, video: (clock.at('video', now) ?? 0) / 90 };
  assert.ok(Math.abs(captured.audio - captured.video) < 0.1, JSON.stringify(captured));
  assert.ok(Math.abs(captured.audio - (now - 20)) < 0.1, JSON.stringify(captured));
});

test('reports of a source without a clock change nothing', () => {
  for (const seconds of [0, 77]) {
    const clock = new StreamClock();
    for (let second = 0; second < 20; second++) {
      clock.report('video', { seconds, fraction: 0 }, 2 ** 40 + second * 90_000);
      clock.observe('video', 2 ** 40 + second * 90_000, second * 1_000);
      const late = (clock.at('video', second * 1_000) ?? 0) - 2 ** 40 - second * 90_000;
      assert.ok(Math.abs(late) < 100, `${late} ticks after ${second} s`);
    }
  }
});

test('a sender report that comes before its first packet is kept', () => {
  const scene = new Scene();
  const report = (ssrc: number, timestamp: number) =>
    writeSenderReport({ ssrc, ntp: { seconds: 100, fraction: 0 }, timestamp, packets: 0, octets: 0, cname: '' });
  scene.stream.handleDatagram('video', report(1, 0), HERE, 0);
  scene.stream.handleDatagram('audio', report(2, 0), HERE, 0);
  const picture = (timestamp: number, now: number, ...payloads: Buffer[]) =>
    payloads.forEach((payload, index) => {
      const facts = { sequence: (timestamp / 3_000) * 3 + index, timestamp, marker: index === payloads.length - 1 };
      scene.stream.handleDatagram('video', rtp(payload, facts), HERE, now);
    });
  picture(0, 100, SPS, PPS, slice('idr'));
  picture(3_000, 133, SPS, PPS, slice('idr'));
  const sound = (timestamp: number, now: number) =>
    scene.stream.handleDatagram('audio', rtp(OPUS, { ssrc: 2, sequence: timestamp / 960, timestamp }), HERE, now);
  sound(0, 10);
  sound(960, 30);
  sound(1_920, 50);
  // Without its report the video would be mapped by its arrival, 90 ms later than the sound.
  const at = (kind: LegKind, rate: number) => ((scene.stream.mediaTime(kind, 1_000) ?? 0) - 2 ** 40) / rate;
  assert.ok(Math.abs(at('video', 90) - at('audio', 48)) < 1, `${at('video', 90)} and ${at('audio', 48)}`);
});

test('pushed frames are a stream like any other', () => {
  const scene = new Scene();
  const code = Buffer.from([0, 0, 0, 1]);
  const unit = Buffer.concat([code, Buffer.from([9, 0x10]), code, SPS, code, PPS, code, slice('idr', 3_000)]);
  const [video, audio] = [scene.stream.leg('video'), scene.stream.leg('audio')];
  if (!video || !audio) throw new Error('there are two legs');
  for (let index = 0; index < 5; index++) {
    scene.stream.push(video, unit, index * 40, index * 40);
    scene.stream.push(audio, OPUS, index * 20, index * 20);
  }
  const { video: seen, audio: heard } = scene.stream.facts(200);
  assert.equal([seen?.parameters?.['profile-level-id'], Math.round(seen?.framesPerSecond ?? 0)], ['42c01e', 25]);
  assert.equal(heard, { active: true, codec: 'opus', wrongCodec: false, timestampBreaks: 0, channels: 2 });
  assert.equal(scene.drops, {});
});

test('the clip comes apart into 300 pictures and 500 sounds, each at its time', () => {
  const { ingress } = clipSource();
  if (typeof ingress === 'function' || ingress.kind !== 'clip') throw new Error('the clip is no clip');
  const { cues, length } = parseClip(ingress);
  assert.is(length, 10_000);
  assert.is(cues.filter(({ kind }) => kind === 'video').length, 300);
  assert.is(cues.filter(({ kind }) => kind === 'audio').length, 500);
  assert.ok(cues.every(({ due }, index) => due >= (cues[index - 1]?.due ?? 0) && due < length));
  for (const broken of [{ video: new Uint8Array() }, { audio: new Uint8Array(9) }, { framesPerSecond: 0 }]) {
    assert.throws(() => parseClip({ ...ingress, ...broken }), /Annex B/);
  }
});

test.run();

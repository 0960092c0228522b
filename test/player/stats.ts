import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { StatsSampler } from '../../src/player/stats.ts';

const test = suite("the player's figures");

const video = {
  type: 'inbound-rtp',
  kind: 'video',
  bytesReceived: 1_000_000,
  packetsReceived: 1000,
  packetsLost: 50,
  framesDecoded: 100,
  frameWidth: 1280,
  frameHeight: 720,
  jitterBufferDelay: 5,
  jitterBufferEmittedCount: 100,
  totalProcessingDelay: 6,
};
const audio = {
  type: 'inbound-rtp',
  kind: 'audio',
  bytesReceived: 20_000,
  packetsReceived: 100,
  packetsLost: 0,
  jitterBufferDelay: 4800,
  jitterBufferEmittedCount: 96_000,
  totalProcessingDelay: 4800,
};
const pair = { type: 'candidate-pair', state: 'succeeded', nominated: true, currentRoundTripTime: 0.03125 };
const other = { type: 'candidate-pair', state: 'waiting', nominated: false, currentRoundTripTime: 9 };

function reports(...all: Record<string, unknown>[]): Map<string, Record<string, unknown>> {
  return new Map(all.map((report, index) => [String(index), report]));
}

test('are those of the time between two looks', () => {
  const sampler = new StatsSampler();
  sampler.sample(reports(other, pair, audio, video), 1000);
  const later = {
    ...video,
    bytesReceived: 1_500_000,
    packetsReceived: 1390,
    packetsLost: 60,
    framesDecoded: 160,
    jitterBufferDelay: 8,
    jitterBufferEmittedCount: 160,
    totalProcessingDelay: 9.75,
  };
  assert.equal(sampler.sample(reports(other, pair, audio, later), 3000), {
    width: 1280,
    height: 720,
    framesPerSecond: 30,
    bitsPerSecond: 2_000_000,
    lossRatio: 10 / 400,
    roundTripSeconds: 0.03125,
    jitterBufferSeconds: 0.05,
    latencySeconds: 0.015625 + 0.0625,
  });
});

test('of the first look hold no rates', () => {
  const { framesPerSecond, bitsPerSecond, lossRatio, width } = new StatsSampler().sample(
    reports(pair, audio, video),
    5,
  );
  assert.equal([framesPerSecond, bitsPerSecond, width], [undefined, undefined, 1280]);
  assert.is(lossRatio, 50 / 1150);
});

test('of sound alone are those of the sound', () => {
  const figures = new StatsSampler().sample(reports(pair, audio), 5);
  assert.equal([figures.width, figures.framesPerSecond], [undefined, undefined]);
  assert.equal([figures.jitterBufferSeconds, figures.latencySeconds], [0.05, 0.015625 + 0.05]);
});

test('are absent rather than wrong', () => {
  const { totalProcessingDelay: _, ...lacking } = video;
  assert.is(new StatsSampler().sample(reports(lacking), 5).latencySeconds, undefined);
  const nothing = new StatsSampler().sample(reports(), 5);
  assert.equal(new Set(Object.values(nothing)), new Set([undefined]));
  const sampler = new StatsSampler();
  sampler.sample(reports(video), 0);
  assert.is(sampler.sample(reports({ ...video, packetsLost: 40, packetsReceived: 1100 }), 1000).lossRatio, 0);
});

test.run();

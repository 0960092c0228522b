import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { clipSource } from '../../src/sources/clip.ts';
import { clipFrames, nalUnits, oggPackets } from '../support/clip.ts';

const test = suite('clip');

function clip() {
  const { ingress } = clipSource();
  if (typeof ingress === 'function' || ingress.kind !== 'clip') throw new Error('the clip is no clip');
  return ingress;
}

test('the video is 300 frames, each behind a delimiter, an IDR with its parameter sets every 60', () => {
  const { pictures, framesPerSecond } = clipFrames();
  // NAL unit types (H.264 table 7-1).
  const frames = pictures.map((picture) => nalUnits(picture).map(([header = 0]) => header & 0x1f));
  assert.is(framesPerSecond, 30);
  assert.is(frames.length, 300);
  frames.forEach((types, index) => {
    assert.equal(types, index % 60 === 0 ? [9, 7, 8, 5] : [9, 1]);
  });
});

test('the video is constrained baseline, which every browser decodes', () => {
  const { video } = clip();
  const sps = video.findIndex((byte, at) => (byte & 0x1f) === 7 && video[at - 1] === 1 && video[at - 2] === 0);
  assert.is(video[sps + 1], 66);
  assert.is((video[sps + 2] ?? 0) & 0xc0, 0xc0);
});

test('the audio is as long as the video: 500 stereo packets of 20 ms', () => {
  const [head, tags, ...packets] = oggPackets(clip().audio);
  assert.is(new TextDecoder().decode(head?.subarray(0, 8)), 'OpusHead');
  assert.is(head?.[9], 2);
  assert.is(new TextDecoder().decode(tags?.subarray(0, 8)), 'OpusTags');
  assert.is(packets.length, 500);
  // RFC 6716 §3.1: configurations that last 20 ms, the stereo bit, one frame.
  for (const packet of packets) {
    const toc = packet[0] ?? 0;
    assert.ok([13, 15, 19, 23, 27, 31].includes(toc >> 3));
    assert.is(toc & 0b111, 0b100);
  }
});

test('both files together stay small', () => {
  const { video, audio } = clip();
  assert.ok(video.length + audio.length < 200_000);
});

test.run();

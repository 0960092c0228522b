import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Pace } from '../../src/player/reveal.ts';

const test = suite('when the player reveals the picture');

interface Picture {
  /** When the browser tells of it. Milliseconds. */
  at: number;
  rtpTimestamp: number;
  presentedFrames: number;
}

function metadata({ at, rtpTimestamp, presentedFrames }: Picture): VideoFrameCallbackMetadata {
  const size = { width: 640, height: 360, mediaTime: 0 };
  return { ...size, presentationTime: at, expectedDisplayTime: at, rtpTimestamp: rtpTimestamp >>> 0, presentedFrames };
}

/** When a series of pictures is revealed. */
function revealed(pictures: Picture[]): number {
  const pace = new Pace();
  let due = Number.POSITIVE_INFINITY;
  for (const picture of pictures) {
    if (due <= picture.at) return due;
    due = pace.frame(metadata(picture), picture.at);
  }
  return due;
}

/** Pictures at a natural pace from `at` on. */
function natural(first: Picture, count: number, rate: number): Picture[] {
  return [...Array(count).keys()].map((index) => ({
    at: first.at + (index * 1000) / rate,
    rtpTimestamp: first.rtpTimestamp + (index * 90_000) / rate,
    presentedFrames: first.presentedFrames + index,
  }));
}

/** What a display of 60 Hz sees of a catch-up at twenty times the pace of 30 pictures a second. */
function catchUp(milliseconds: number, start = 0): Picture[] {
  return [...Array(Math.floor(milliseconds / 16)).keys()].map((index) => ({
    at: index * 16,
    rtpTimestamp: start + index * 16 * 90,
    presentedFrames: 1 + index * 10,
  }));
}

test('soon after the first picture where there is nothing to catch up with', () => {
  for (const rate of [5, 25, 30, 60]) {
    assert.is(revealed(natural({ at: 0, rtpTimestamp: 77, presentedFrames: 1 }, 20, rate)), 40, `${rate}`);
  }
});

test('once the pictures come at a natural pace, not before', () => {
  const behind = catchUp(160);
  const last = behind.at(-1) ?? { at: 0, rtpTimestamp: 0, presentedFrames: 0 };
  const live = { at: last.at + 20, rtpTimestamp: last.rtpTimestamp + 1800, presentedFrames: last.presentedFrames + 1 };
  assert.is(revealed([...behind, ...natural(live, 20, 30)]), last.at + 40);
});

test('across the wrap of time stamps', () => {
  const behind = catchUp(160, 0x1_0000_0000 - 4000);
  assert.is(revealed(behind), (behind.at(-1)?.at ?? 0) + 40);
});

test('a short gap in the burst is not taken for the live edge', () => {
  const [first, second, ...rest] = catchUp(160);
  const late = rest.map((picture) => ({
    ...picture,
    at: picture.at + 14,
    rtpTimestamp: picture.rtpTimestamp + 14 * 90,
  }));
  const pictures = [first, second, ...late].filter((picture) => picture !== undefined);
  assert.is(revealed(pictures), (pictures.at(-1)?.at ?? 0) + 40);
});

test('in the end whatever the pace', () => {
  assert.is(revealed(catchUp(2000)), 300);
});

test('a browser that tells no time stamps keeps nothing back', () => {
  const pace = new Pace();
  const due = catchUp(160).map((picture) => {
    const { rtpTimestamp: _, ...rest } = metadata(picture);
    return pace.frame(rest, picture.at);
  });
  assert.equal(new Set(due), new Set([40]));
});

test.run();

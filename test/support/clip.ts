import { clipSource } from '../../src/sources/clip.ts';

export interface ClipFrames {
  /** Annex B, each with its delimiter. */
  pictures: Uint8Array[];
  sounds: Uint8Array[];
  framesPerSecond: number;
}

/** The built-in clip, frame by frame. */
export function clipFrames(): ClipFrames {
  const { ingress } = clipSource();
  if (typeof ingress === 'function' || ingress.kind !== 'clip') throw new Error('the clip is no clip');
  const starts = nalStarts(ingress.video).filter((at) => nalType(ingress.video, at) === 9);
  return {
    pictures: starts.map((at, index) => ingress.video.subarray(at, starts[index + 1])),
    sounds: oggPackets(ingress.audio).slice(2),
    framesPerSecond: ingress.framesPerSecond,
  };
}

/** The NAL units of an Annex B stream, without start codes. */
export function nalUnits(stream: Uint8Array): Uint8Array[] {
  const starts = nalStarts(stream);
  return starts.map((at, index) => {
    let end = starts[index + 1] ?? stream.length;
    while (stream[end - 1] === 0) end--;
    return stream.subarray(at + 3, end);
  });
}

/** The packets of a one-stream Ogg file (RFC 3533 §6), headers included. */
export function oggPackets(file: Uint8Array): Uint8Array[] {
  const packets: Uint8Array[] = [];
  let begun: number[] = [];
  for (let page = 0; page < file.length; ) {
    const segments = file.subarray(page + 27, page + 27 + (file[page + 26] ?? 0));
    let at = page + 27 + segments.length;
    for (const length of segments) {
      begun.push(...file.subarray(at, at + length));
      at += length;
      if (length < 255) {
        packets.push(Uint8Array.from(begun));
        begun = [];
      }
    }
    page = at;
  }
  return packets;
}

function nalStarts(stream: Uint8Array): number[] {
  const starts: number[] = [];
  for (let at = 0; at + 3 < stream.length; at++) {
    if (stream[at] === 0 && stream[at + 1] === 0 && stream[at + 2] === 1) starts.push(at);
  }
  return starts;
}

function nalType(stream: Uint8Array, start: number): number {
  return (stream[start + 3] ?? 0) & 0x1f;
}

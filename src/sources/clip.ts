import { readFileSync } from 'node:fs';
import type { Source } from './source.ts';

/** The frame rate of the built-in clip. */
const framesPerSecond = 30;

/** The built-in clip, looped by the engine: 10 s, 640x360, stereo. Needs no FFmpeg and no port. */
export function clipSource(): Source {
  return {
    kind: 'clip',
    ingress: { kind: 'clip', video: asset('clip.h264'), audio: asset('clip.opus'), framesPerSecond },
    start: async () => {},
    stop: async () => {},
    describe: () => 'clip',
  };
}

function asset(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`./clip/${name}`, import.meta.url)));
}

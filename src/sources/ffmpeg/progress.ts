import { inLines } from './lines.ts';

/** What FFmpeg says of its work (`-progress`). */
export interface Progress {
  /** Pictures sent; absent without video, as the next is. */
  frames?: number;
  framesPerSecond?: number;
  /** Media time over real time: below 1, FFmpeg is too slow. */
  speed?: number;
  /** Pictures that FFmpeg sent twice, or not at all, to keep the frame rate. */
  duplicated?: number;
  dropped?: number;
}

const fields: Readonly<Record<string, keyof Progress>> = {
  frame: 'frames',
  fps: 'framesPerSecond',
  speed: 'speed',
  dup_frames: 'duplicated',
  drop_frames: 'dropped',
};

/** Reads `-progress`: `key=value` lines, each block ended by `progress=`. `take` hears whether the media went on. */
export function readProgress(take: (progress: Progress, advanced: boolean) => void): (text: string) => void {
  let block: Progress = {};
  let time = '';
  let before = '';
  return inLines((line) => {
    const [, key = '', value = ''] = /^(\w+)=\s*(\S+)/.exec(line) ?? [];
    const field = fields[key];
    const number = Number.parseFloat(value);
    if (field !== undefined && Number.isFinite(number)) block[field] = number;
    // An audio leg alone has no frames, a video leg no size until its first packet: this they have in common.
    if (key === 'out_time_us' || key === 'frame') time += value;
    if (key !== 'progress') return;
    take(block, time !== before && /[1-9]/.test(time));
    before = time;
    time = '';
    block = {};
  });
}

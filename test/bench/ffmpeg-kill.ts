/**
 * How long a viewer in Chromium sees nothing new when the FFmpeg of its stream is killed.
 *
 *   scripts/bench ffmpeg-kill [--runtime node|bun|deno] [--kills 10] [--encode]
 *
 * FFmpeg copies a looped film of 640x360 at 30 pictures a second with a keyframe each second, or encodes it. The time
 * runs from SIGKILL to the first picture after the gap, as it is presented; the viewer keeps its session.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Chromium, type Tab } from '../support/chromium.ts';
import { numberedBars } from '../support/picture.ts';
import { descendants } from '../support/process.ts';
import { median } from '../support/publisher.ts';
import type { Runtime } from '../support/runtimes.ts';
import { startConfigured } from '../support/server.ts';

const { values } = parseArgs({
  options: {
    runtime: { type: 'string', default: 'node' },
    kills: { type: 'string', default: '10' },
    encode: { type: 'boolean', default: false },
  },
});

/** How long after a kill pictures are watched. Milliseconds. */
const watched = 5_000;

const folder = mkdtempSync(join(tmpdir(), 'ffmpeg-kill-'));
const input = join(folder, 'film.mp4');
const made = ['-t', '10', '-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-bf', '0', '-g', '30'];
execFileSync('ffmpeg', ['-loglevel', 'error', '-f', 'lavfi', '-i', numberedBars(), ...made, input]);
const server = await startConfigured(values.runtime as Runtime, {
  streams: { cam1: { ffmpeg: { input, ...(values.encode && { video: 'h264', gopSeconds: 1 }) } } },
});
const browser = await Chromium.launch();
try {
  await server.live();
  const tab = await browser.watch(`${server.url}/play/cam1`);
  await tab.frames(60);
  const gaps: number[] = [];
  while (gaps.length < Number(values.kills)) {
    // An FFmpeg that has lived for a while is followed at once, one that fails again and again is not.
    await new Promise((resolve) => setTimeout(resolve, 2_000 + Math.random() * 1_000));
    const seen = presented(tab);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const killed = Date.now();
    for (const { pid, command } of descendants(server.child.pid)) {
      if (command[0] === 'ffmpeg') process.kill(pid, 'SIGKILL');
    }
    gaps.push(endOfGap(await seen) - killed);
    process.stderr.write('.');
  }
  process.stderr.write('\n');
  const sessions = tab.sessions.length;
  console.log(
    JSON.stringify({
      runtime: values.runtime,
      ffmpeg: values.encode ? 'encodes' : 'copies',
      kills: gaps.length,
      milliseconds: { median: Math.round(median(gaps)), max: Math.round(Math.max(...gaps)) },
      sessions,
    }),
  );
} finally {
  await browser.close();
  await server.stop();
  rmSync(folder, { recursive: true });
}

/** When pictures were presented, in milliseconds of the system's clock. */
function presented(tab: Tab): Promise<number[]> {
  return tab.page.evaluate(async (time) => {
    const video = document.querySelector('video');
    const moments: number[] = [];
    const look = (now: number) => {
      moments.push(performance.timeOrigin + now);
      video?.requestVideoFrameCallback(look);
    };
    video?.requestVideoFrameCallback(look);
    await new Promise((resolve) => setTimeout(resolve, time));
    return moments;
  }, watched);
}

/** The end of the longest time without a picture; where none came again, it has not ended. */
function endOfGap(moments: number[]): number {
  const gaps = moments.map((moment, index) => ({ moment, length: moment - (moments[index - 1] ?? moment) }));
  return gaps.toSorted((a, b) => b.length - a.length)[0]?.moment ?? Number.POSITIVE_INFINITY;
}

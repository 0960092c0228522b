import type { Tab } from './chromium.ts';

/** A filter graph with the flash and the beep of the built-in clip: both for 0.1 s at every full second. */
export const FLASH_AND_BEEP = [
  "color=black:size=640x360:rate=30,drawbox=x=240:y=60:w=160:h=120:color=white:t=fill:enable='lt(mod(n,30),3)'[out0]",
  "aevalsrc=exprs='0.4*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':s=48000[out1]",
].join(';');

/**
 * By how much the beep is later than its flash, as a page's player shows and plays them: milliseconds, the median of
 * what `seconds` bring. The player has to play its sound.
 */
export async function lipSync(tab: Tab, seconds: number): Promise<number> {
  const { flashes, beeps } = await tab.page.evaluate(watchAndListen, seconds);
  const late = flashes
    .map((flash) => beeps.map((beep) => beep - flash).sort((a, b) => Math.abs(a) - Math.abs(b))[0])
    .filter((difference) => difference !== undefined)
    .sort((a, b) => a - b);
  const median = late[Math.floor(late.length / 2)];
  if (median === undefined || late.length < seconds / 2) {
    throw new Error(`only ${flashes.length} flashes and ${beeps.length} beeps in ${seconds} s`);
  }
  return median;
}

/** Runs in the page. Gives the moments at which flashes and beeps began, in milliseconds of the page's clock. */
async function watchAndListen(seconds: number): Promise<{ flashes: number[]; beeps: number[] }> {
  const video = document.querySelector('video');
  if (!(video?.srcObject instanceof MediaStream)) throw new Error('no player');
  const flashes: number[] = [];
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('no canvas');
  let bright = true;
  let watching = true;
  const look = (_: number, { expectedDisplayTime }: VideoFrameCallbackMetadata) => {
    context.drawImage(video, video.videoWidth / 2, video.videoHeight / 3, 1, 1, 0, 0, 1, 1);
    const lit = Math.min(...context.getImageData(0, 0, 1, 1).data) > 180;
    if (lit && !bright) flashes.push(expectedDisplayTime);
    bright = lit;
    if (watching) video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);

  const beeps: number[] = [];
  const audio = new AudioContext();
  const analyser = new AnalyserNode(audio, { fftSize: 16_384 });
  audio.createMediaStreamSource(video.srcObject).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  // Samples of one moment are seen sooner or later; the soonest tells how both clocks relate.
  let offset = Number.POSITIVE_INFINITY;
  let heard = 0;
  const listen = () => {
    const end = audio.currentTime * 1000;
    offset = Math.min(offset, performance.now() - end);
    analyser.getFloatTimeDomainData(samples);
    const milliseconds = (index: number) => end - ((samples.length - index) / audio.sampleRate) * 1000;
    const onset = samples.findIndex((sample, index) => milliseconds(index) > heard && Math.abs(sample) > 0.05);
    if (onset < 0) return;
    const moment = milliseconds(onset);
    // What the first look finds may have begun before it; a beep is over after 100 ms.
    if (heard > 0) beeps.push(moment);
    heard = moment + 500;
  };
  const timer = setInterval(listen, 5);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  clearInterval(timer);
  watching = false;
  await audio.close();
  return { flashes, beeps: beeps.map((moment) => moment + offset) };
}

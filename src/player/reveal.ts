/**
 * A server that starts a viewer at the newest keyframe sends what it has of that group of pictures many times faster
 * than it was filmed, stamped with the moment of sending: pictures then follow one another a millisecond or two apart.
 * The viewer is at the live edge when they come at a natural pace.
 */

/** Pictures closer than this are being caught up with; 75 a second. RTP ticks of 90 kHz. */
const NATURAL = 1200;
/** Without such a picture for this long, the live edge is reached. Longer than a server's thread may be held up. */
const QUIET = 40;
/** A picture is never kept back longer than this, whatever the pace. Milliseconds. */
const LIMIT = 300;

/** Judges the pace of pictures. */
export class Pace {
  #last: VideoFrameCallbackMetadata | undefined;
  #deadline = 0;
  #limit = 0;

  /** Takes what the browser says of a picture; gives when to reveal it unless another comes before. Milliseconds. */
  frame(metadata: VideoFrameCallbackMetadata, now: number): number {
    if (this.#last === undefined) this.#limit = now + LIMIT;
    if (this.#last === undefined || ticksBetween(this.#last, metadata) < NATURAL) this.#deadline = now + QUIET;
    this.#last = metadata;
    return Math.min(this.#deadline, this.#limit);
  }
}

/** RTP ticks from one picture to the next: most pictures of a burst are replaced before they can be looked at. */
function ticksBetween(before: VideoFrameCallbackMetadata, after: VideoFrameCallbackMetadata): number {
  if (before.rtpTimestamp === undefined || after.rtpTimestamp === undefined) return NATURAL;
  // Time stamps wrap around (RFC 3550 §5.1).
  const ticks = (after.rtpTimestamp - before.rtpTimestamp) >>> 0;
  return ticks / (after.presentedFrames - before.presentedFrames);
}

/** Calls `reached` once, when `element` shows the live edge; the returned function gives that up. */
export function whenLive(element: HTMLMediaElement, reached: () => void): () => void {
  const pace = new Pace();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let handle: number | undefined;
  const video = element instanceof HTMLVideoElement && 'requestVideoFrameCallback' in element ? element : undefined;
  const stop = () => {
    clearTimeout(timer);
    if (handle !== undefined) video?.cancelVideoFrameCallback(handle);
    element.removeEventListener('loadeddata', loaded);
  };
  const revealIn = (milliseconds: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      stop();
      reached();
    }, milliseconds);
  };
  const look = (now: number, metadata: VideoFrameCallbackMetadata) => {
    revealIn(pace.frame(metadata, now) - now);
    handle = video?.requestVideoFrameCallback(look);
  };
  // Tabs in the background have no frame callbacks.
  const loaded = () => {
    if (timer === undefined) revealIn(video === undefined ? 0 : LIMIT);
  };
  element.addEventListener('loadeddata', loaded);
  handle = video?.requestVideoFrameCallback(look);
  return stop;
}

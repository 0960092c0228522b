import type { Page } from 'playwright-core';
import type { Chromium, Tab } from './chromium.ts';
import { settled } from './eventually.ts';

export interface PublisherStats {
  /** Of the newest encoded picture. */
  width: number;
  framesEncoded: number;
  /** What holds the quality down: `none`, `bandwidth`, `cpu`. */
  limitation: string;
  /** Bits per second that Chromium believes it may send. */
  available: number;
  keyframes: number;
  pliCount: number;
  /** Bytes of video. */
  bytesSent: number;
  state: string;
}

/** `unannounced`: the offer names no SSRC. `simulcast`: it has three layers by RID, and names none either. */
export type Shape = 'plain' | 'unannounced' | 'simulcast';

export interface PublisherOptions {
  width: number;
  height: number;
  shape: Shape;
  /** The only one of video that is offered, as `VP8`; absent: all that the browser has. */
  codec?: string | undefined;
}

/**
 * A browser that publishes by WHIP: a moving picture, and a tone. In the lowest ninth of the picture stands the time at
 * which it was painted, in milliseconds, where `Tab.frameNumber` finds the number of a frame.
 */
export class Publisher {
  readonly #page: Page;
  readonly location: string;

  constructor(page: Page, location: string) {
    this.#page = page;
    this.location = location;
  }

  /** `origin` of the server, `stream` to publish. */
  static async start(
    browser: Pick<Chromium, 'watch'>,
    origin: string,
    stream: string,
    { width = 640, height = 360, shape = 'plain', codec }: Partial<PublisherOptions> = {},
  ): Promise<Publisher> {
    // The page that lists the streams may connect to nothing.
    const { page } = await browser.watch(`${origin}/`, { bypassCSP: true });
    return new Publisher(page, await page.evaluate(publish, { path: `/whip/${stream}`, width, height, shape, codec }));
  }

  stats(): Promise<PublisherStats> {
    return this.#page.evaluate(async () => {
      const peer = connections.at(-1);
      const reports = [...((await peer?.getStats())?.values() ?? [])];
      const video = reports.find((each) => each.type === 'outbound-rtp' && each.kind === 'video');
      const pair = reports.find((each) => each.type === 'candidate-pair' && each.nominated);
      return {
        width: video?.frameWidth ?? 0,
        framesEncoded: video?.framesEncoded ?? 0,
        limitation: video?.qualityLimitationReason ?? 'none',
        available: pair?.availableOutgoingBitrate ?? 0,
        keyframes: video?.keyFramesEncoded ?? 0,
        pliCount: video?.pliCount ?? 0,
        bytesSent: video?.bytesSent ?? 0,
        state: peer?.connectionState ?? 'none',
      };
    });
  }

  /** Paints nothing more; gives the frames that have been encoded. */
  async hold(): Promise<number> {
    await this.#paint(false);
    return settled(async () => (await this.stats()).framesEncoded);
  }

  resume(): Promise<void> {
    return this.#paint(true);
  }

  async #paint(on: boolean): Promise<void> {
    await this.#page.evaluate((holds) => {
      Object.assign(globalThis, { held: holds });
    }, !on);
  }

  /** Ends the session as RFC 9725 §4.2 says; resolves with the status of the DELETE. */
  async leave(): Promise<number> {
    const status = await this.#page.evaluate(
      async (path) => (await fetch(path, { method: 'DELETE' })).status,
      this.location,
    );
    await this.#page.close();
    return status;
  }

  /** Without a word to the server. */
  async vanish(): Promise<void> {
    await this.#page.close();
  }
}

declare const connections: RTCPeerConnection[];
declare const held: boolean;

/** Runs in the page. */
async function publish(options: PublisherOptions & { path: string }): Promise<string> {
  const { path, width, height, shape, codec } = options;
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  document.body.append(canvas);
  const context = canvas.getContext('2d', { alpha: false });
  if (context === null) throw new Error('no canvas');
  const block = width / 16;
  const strip = height / 18;
  const paint = () => {
    if (held) return;
    const now = Math.round(performance.timeOrigin + performance.now()) % 65_536;
    for (let index = 0; index < 40; index++) {
      context.fillStyle = `hsl(${Math.random() * 360} 80% 50%)`;
      context.fillRect(Math.random() * width, Math.random() * height, width / 12, height / 12);
    }
    for (let column = 0; column < 16; column++) {
      const bit = (now >> (15 - column)) & 1;
      context.fillStyle = bit ? '#fff' : '#000';
      context.fillRect(column * block, height - 2 * strip, block, strip);
      context.fillStyle = bit ? '#000' : '#fff';
      context.fillRect(column * block, height - strip, block, strip);
    }
  };
  Object.assign(globalThis, { held: false });
  setInterval(paint, 1000 / 30);
  const sound = new AudioContext();
  const tone = new OscillatorNode(sound);
  const speaker = new MediaStreamAudioDestinationNode(sound);
  tone.connect(speaker);
  tone.start();
  const media = canvas.captureStream(30);
  for (const track of speaker.stream.getTracks()) media.addTrack(track);

  const peer = new RTCPeerConnection();
  const layers = [{ rid: 'h' }, { rid: 'm', scaleResolutionDownBy: 2 }, { rid: 'l', scaleResolutionDownBy: 4 }];
  for (const track of media.getTracks()) {
    const sendEncodings = shape === 'simulcast' && track.kind === 'video' ? layers : [];
    const transceiver = peer.addTransceiver(track, { direction: 'sendonly', streams: [media], sendEncodings });
    if (codec === undefined || track.kind !== 'video') continue;
    const codecs = RTCRtpReceiver.getCapabilities('video')?.codecs ?? [];
    transceiver.setCodecPreferences(
      codecs.filter(({ mimeType }) => [`video/${codec}`, 'video/rtx'].includes(mimeType)),
    );
  }
  await peer.setLocalDescription();
  const offer = peer.localDescription?.sdp ?? '';
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp' },
    body: shape === 'unannounced' ? offer.replace(/^a=ssrc.*\r\n/gm, '') : offer,
  });
  const sdp = await response.text();
  if (response.status !== 201) throw new Error(`${response.status} ${sdp}`);
  await peer.setRemoteDescription({ type: 'answer', sdp });
  return response.headers.get('location') ?? '';
}

/** Milliseconds from the painting of a picture to its presentation in `tab`, which plays what a `Publisher` sends. */
export function glassToGlass(tab: Tab, pictures: number): Promise<number[]> {
  return tab.page.evaluate(async (count) => {
    const video = document.querySelector('video');
    if (video === null) throw new Error('no video');
    const canvas = new OffscreenCanvas(16, 2);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (context === null) throw new Error('no canvas');
    context.imageSmoothingEnabled = false;
    /** The time in the picture; undefined where there is none, as in a picture of an older size. */
    const painted = () => {
      const { videoWidth, videoHeight } = video;
      context.drawImage(video, 0, (videoHeight * 8) / 9, videoWidth, videoHeight / 9, 0, 0, 16, 2);
      const { data } = context.getImageData(0, 0, 16, 2);
      const bits = [...Array(32).keys()].map((index) => ((data[index * 4] ?? 0) > 128 ? 1 : 0));
      const whole = bits.slice(16).every((bit, column) => bit !== bits[column]);
      return whole ? Number.parseInt(bits.slice(0, 16).join(''), 2) : undefined;
    };
    const found: number[] = [];
    await new Promise<void>((resolve) => {
      const look = (now: number) => {
        const time = painted();
        if (time !== undefined) found.push((performance.timeOrigin + now - time + 65_536 * 1e9) % 65_536);
        if (found.length >= count) resolve();
        else video.requestVideoFrameCallback(look);
      };
      video.requestVideoFrameCallback(look);
    });
    return found;
  }, pictures);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

import { type Browser, type BrowserContextOptions, type BrowserServer, chromium, type Page } from 'playwright-core';
import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from './eventually.ts';
import { Exchanges } from './exchanges.ts';

const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];

export interface ReceivedMedia {
  /** Frames that came whole; those of them that were decoded, keyframes among them; those that came too late to be. */
  framesReceived: number;
  framesDecoded: number;
  keyframesDecoded: number;
  framesDropped: number;
  framesPerSecond: number;
  freezeCount: number;
  /** Seconds of them, all together. */
  freezeSeconds: number;
  packetsLost: number;
  /** Packets that came by RTX (RFC 4588), and PLI sent: video. */
  retransmitted: number;
  keyframeRequests: number;
  bytesReceived: number;
  audioEnergy: number;
  audioChannels: number;
  /** `video/VP8` and `audio/opus`, for example; empty before the first packet. */
  videoCodec: string;
  audioCodec: string;
  state: string;
  srtpCipher: string;
}

/** A Chromium of its own, with a fresh profile. */
export class Chromium {
  readonly #server: BrowserServer;
  readonly #browser: Browser;

  constructor(server: BrowserServer, browser: Browser) {
    this.#server = server;
    this.#browser = browser;
  }

  static async launch(executablePath = '/usr/bin/chromium', flags: readonly string[] = []): Promise<Chromium> {
    const server = await chromium.launchServer({
      executablePath,
      args: [...FLAGS, ...flags],
      chromiumSandbox: false,
    });
    return new Chromium(server, await chromium.connect(server.wsEndpoint()));
  }

  /** A tab that plays a page of ours; `prepare` gets it before it loads. */
  async watch(
    url: string,
    options: BrowserContextOptions = {},
    prepare: (page: Page) => Promise<void> = async () => {},
  ): Promise<Tab> {
    const page = await this.#browser.newPage({
      viewport: { width: 640, height: 480 },
      ignoreHTTPSErrors: true,
      ...options,
    });
    const tab = new Tab(page);
    // The player keeps its connection to itself; the browser's constructor is the place to get hold of it.
    await page.addInitScript(() => {
      const connections: RTCPeerConnection[] = [];
      Object.assign(globalThis, { connections });
      globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...args: ConstructorParameters<typeof RTCPeerConnection>) {
          super(...args);
          connections.push(this);
        }
      };
    });
    await prepare(page);
    await page.goto(url);
    return tab;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.#server.close();
  }

  /** Without a chance to say goodbye. */
  async kill(): Promise<void> {
    await this.#server.kill();
  }
}

/** A Chromium that is there from the first test of a suite to the last. */
export function browserFor(test: Test): Pick<Chromium, 'watch'> {
  let browser: Chromium | undefined;
  test.before(async () => {
    browser = await Chromium.launch();
  });
  test.after(() => browser?.close());
  return {
    async watch(...where) {
      if (browser === undefined) throw new Error('no test of the suite runs');
      return browser.watch(...where);
    },
  };
}

declare const connections: RTCPeerConnection[];

export class Tab {
  readonly page: Page;
  /** Everything on the console, and uncaught errors. */
  readonly console: string[] = [];
  /** The addresses of the sessions that the page opened. */
  readonly sessions: string[] = [];

  readonly #exchanges: Exchanges;

  constructor(page: Page) {
    this.page = page;
    this.#exchanges = new Exchanges(page);
    page.on('console', (message) => this.console.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => this.console.push(`uncaught: ${error.message}`));
    page.on('response', (response) => {
      const location = response.headers().location;
      if (response.status() === 201 && location) this.sessions.push(new URL(location, response.url()).href);
    });
  }

  /** What the newest connection has received. */
  media(): Promise<ReceivedMedia> {
    return this.page.evaluate(async () => {
      const connection = connections.at(-1);
      const reports = [...((await connection?.getStats())?.values() ?? [])];
      const inbound = (kind: string) => reports.find((each) => each.type === 'inbound-rtp' && each.kind === kind);
      const [video, audio] = [inbound('video'), inbound('audio')];
      const codec = reports.find((each) => each.id === audio?.codecId);
      return {
        framesReceived: video?.framesReceived ?? 0,
        framesDecoded: video?.framesDecoded ?? 0,
        keyframesDecoded: video?.keyFramesDecoded ?? 0,
        framesDropped: video?.framesDropped ?? 0,
        framesPerSecond: video?.framesPerSecond ?? 0,
        freezeCount: video?.freezeCount ?? 0,
        freezeSeconds: video?.totalFreezesDuration ?? 0,
        packetsLost: (video?.packetsLost ?? 0) + (audio?.packetsLost ?? 0),
        retransmitted: video?.retransmittedPacketsReceived ?? 0,
        keyframeRequests: video?.pliCount ?? 0,
        bytesReceived: (video?.bytesReceived ?? 0) + (audio?.bytesReceived ?? 0),
        audioEnergy: audio?.totalAudioEnergy ?? 0,
        audioChannels: /stereo=1/.test(codec?.sdpFmtpLine ?? '') ? 2 : (codec?.channels ?? 0),
        videoCodec: reports.find((each) => each.id === video?.codecId)?.mimeType ?? '',
        audioCodec: codec?.mimeType ?? '',
        state: connection?.connectionState ?? 'none',
        srtpCipher: reports.find((each) => each.type === 'transport')?.srtpCipher ?? 'none',
      };
    });
  }

  /** Gives what has the newest connection send a PLI; in a page without CSP. */
  async keyframeRequester(): Promise<() => Promise<void>> {
    const transform = await this.page.evaluateHandle(() => {
      const receivers = connections.at(-1)?.getReceivers();
      const receiver = receivers?.find(({ track }) => track.kind === 'video');
      if (receiver === undefined) throw new Error('no video');
      // Only who transforms frames may ask; here they go through as they are.
      const script = `onrtctransform = ({ transformer }) => {
        transformer.readable.pipeTo(transformer.writable);
        onmessage = () => transformer.sendKeyFrameRequest().then(() => postMessage('asked'));
      };`;
      const worker = new Worker(URL.createObjectURL(new Blob([script])));
      receiver.transform = new RTCRtpScriptTransform(worker);
      return worker;
    });
    return () =>
      transform.evaluate(async (worker) => {
        const asked = new Promise((resolve) => {
          worker.onmessage = resolve;
        });
        worker.postMessage('ask');
        await asked;
      });
  }

  /** The answer that the newest connection was given. */
  answer(): Promise<string> {
    return this.page.evaluate(() => connections.at(-1)?.remoteDescription?.sdp ?? '');
  }

  /** How the newest connection gets to the relay in use: `udp`, `tcp`, `tls`, or undefined without one. */
  relayedBy(): Promise<string | undefined> {
    return this.page.evaluate(async () => {
      const reports = [...((await connections.at(-1)?.getStats())?.values() ?? [])];
      const transport = reports.find((each) => each.type === 'transport');
      const pair = reports.find((each) => each.id === transport?.selectedCandidatePairId);
      return reports.find((each) => each.id === pair?.localCandidateId)?.relayProtocol;
    });
  }

  /** Waits until the newest connection has decoded that many frames, by an answer that keeps the rules. */
  async frames(count: number, limit = 20_000): Promise<ReceivedMedia> {
    const received = await eventually(
      `${count} frames`,
      async () => {
        const media = await this.media();
        return media.framesDecoded >= count ? media : undefined;
      },
      limit,
    );
    assert.equal(await this.#exchanges.broken(), []);
    return received;
  }

  /**
   * Waits for that many frames in a row without a freeze. One that a starved machine caused in between, as when a tab
   * opens, is outlived; a stream that keeps freezing never gets there.
   */
  async smoothFrames(count: number, limit = 30_000): Promise<ReceivedMedia> {
    let start = await this.frames(1);
    return eventually(
      `${count} frames without a freeze`,
      async () => {
        const media = await this.media();
        if (media.freezeCount !== start.freezeCount) start = media;
        return media.framesDecoded - start.framesDecoded >= count ? media : undefined;
      },
      limit,
    );
  }

  /** Colours of points of the picture, each given as fractions of its width and height. */
  colours(points: [x: number, y: number][]): Promise<number[][]> {
    return this.page.evaluate((at) => {
      const video = document.querySelector('video');
      if (video === null || video.videoWidth === 0) return [];
      const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
      const context = canvas.getContext('2d', { willReadFrequently: true });
      if (context === null) return [];
      context.drawImage(video, 0, 0);
      return at.map(([x, y]) => [...context.getImageData(x * canvas.width, y * canvas.height, 1, 1).data.slice(0, 3)]);
    }, points);
  }

  /** The frame number in the lowest ninth of the picture; undefined when what is there is no number. */
  async frameNumber(): Promise<number | undefined> {
    const columns = [...Array(16).keys()].map((column) => (column + 0.5) / 16);
    const colours = await this.colours([
      ...columns.map((x) => [x, 33 / 36] as [number, number]),
      ...columns.map((x) => [x, 35 / 36] as [number, number]),
    ]);
    if (colours.length < 32) return undefined;
    const bits = colours.map(([red = 0]) => (red > 128 ? 1 : 0));
    const inverted = bits.slice(16).every((bit, column) => bit !== bits[column]);
    return inverted ? Number.parseInt(bits.slice(0, 16).join(''), 2) : undefined;
  }

  /** Presses the button for sound; a muted element takes nothing from the audio decoder. */
  async unmute(): Promise<void> {
    await this.page.getByRole('button', { name: 'Unmute' }).click();
  }

  async status(): Promise<string | null> {
    return this.page.locator('#status').textContent();
  }
}

import * as assert from 'uvu/assert';
import { CaptureSender } from './capture-sender.ts';
import type { Chromium, ReceivedMedia, Tab } from './chromium.ts';
import { eventually, settled } from './eventually.ts';

/** A frame in the second half of a GOP of every capture of video. */
export const MIDDLE = 22;

/** Milliseconds. */
const LIMIT = 20_000;
/** Of what a starved browser spoils: it drops frames that came in time, and asks for keyframes that it has. */
const TRIES = 3;

/** A tab that watches what a sender sends, and has to get every frame of it. */
export class CaptureViewer {
  readonly tab: Tab;
  sender: CaptureSender;
  /** How many frames more it has got than the sender has sent. */
  #ahead: number;

  private constructor(tab: Tab, sender: CaptureSender, ahead: number) {
    this.tab = tab;
    this.sender = sender;
    this.#ahead = ahead;
  }

  /**
   * Opens a player whose request comes when half a GOP has been sent, and nothing after it: what it has to show at once are
   * the `fresh` frames from the newest keyframe up to `MIDDLE`. The sender stays held.
   */
  static async join(
    browser: Pick<Chromium, 'watch'>,
    url: string,
    sender: CaptureSender,
    fresh: number,
  ): Promise<CaptureViewer> {
    const tab = await browser.watch(url, { bypassCSP: true }, async (page) => {
      await page.route('**/whep/**', async (route) => {
        if (route.request().method() === 'POST') await sender.holdAfter(MIDDLE);
        await route.continue();
      });
    });
    await tab.frames(fresh, LIMIT);
    return new CaptureViewer(tab, sender, fresh - sender.frames);
  }

  /** Holds the sender, and waits until all that it sent is there. There may not be more. */
  async caughtUp(): Promise<ReceivedMedia> {
    const count = (await this.sender.holdAfter(MIDDLE)) + this.#ahead;
    const media = await eventually(
      `${count} frames`,
      async () => {
        const now = await this.tab.media();
        return now.framesReceived >= count && now.framesDecoded + now.framesDropped >= now.framesReceived && now;
      },
      LIMIT,
    );
    assert.is(media.framesReceived, count);
    return media;
  }

  /** Plays on until a few seconds had neither a freeze nor a frame that was not decoded. */
  playsEveryFrame(keyframeRequests = 0): Promise<ReceivedMedia> {
    return eventually(
      'every frame decoded',
      async () => {
        const { framesDropped } = await this.caughtUp();
        this.sender.resume();
        await this.tab.smoothFrames(30);
        const media = await this.caughtUp();
        assert.is(media.keyframeRequests, keyframeRequests);
        return media.framesDropped === framesDropped && media;
      },
      LIMIT,
    );
  }

  /** It has asked for a keyframe: frames from one on have come again, a GOP of them at most. */
  async rewound(gop: number): Promise<void> {
    // Where a source is silent, who has everything has to wait.
    await this.tab.frames((await this.tab.media()).framesDecoded + gop, LIMIT);
    const count = (await this.sender.holdAfter(MIDDLE)) + this.#ahead;
    await this.tab.frames(count + 1, LIMIT);
    const received = await settled(async () => (await this.tab.media()).framesReceived);
    assert.ok(received - count <= gop + 1, `${received - count} frames`);
    this.#ahead += received - count;
  }

  /** Another sender takes over from one that is held. It has a keyframe every `gop` frames, and one of them comes first. */
  async follow(sender: CaptureSender, gop: number): Promise<void> {
    this.sender.stop();
    this.sender = sender;
    const { framesReceived } = await this.tab.media();
    await this.tab.frames(framesReceived + 20, LIMIT);
    const sent = await sender.holdAfter(MIDDLE);
    this.#ahead = await eventually('all from a keyframe on', async () => {
      const received = (await this.tab.media()).framesReceived;
      return (sent - (received - framesReceived)) % gop === 0 && received - sent;
    });
  }
}

/** Has a capture sent to a port while `use` looks at it; once more if that fails, in case a starved browser was at fault. */
export async function withSender(
  capture: string,
  port: number | undefined,
  use: (sender: CaptureSender) => Promise<void>,
  tries = TRIES,
): Promise<void> {
  const sender = new CaptureSender(capture, port);
  try {
    await use(sender);
    return;
  } catch (error) {
    if (tries === 1) throw new Error(`${capture}: ${error}`, { cause: error });
    console.log(`${capture}, tried again: ${error}`);
  } finally {
    sender.stop();
  }
  await withSender(capture, port, use, tries - 1);
}

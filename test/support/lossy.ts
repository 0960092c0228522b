import type { BrowserContextOptions, Page, Route } from 'playwright-core';
import { Chromium, type Tab } from './chromium.ts';
import { Namespace } from './namespace.ts';
import { Relay, type RelayTerms } from './relay.ts';

/** A round trip of 40 ms, for what nobody could speed up by being near. Milliseconds, one way. */
const DELAY = 20;

/** What a viewer got in a time. */
export interface Watched {
  /** Frames that were decoded, of those that were sent. */
  decodedShare: number;
  /** Seconds. */
  longestFreeze: number;
  retransmitted: number;
  keyframeRequests: number;
}

/** A browser behind a line with losses and a round trip of 40 ms. */
export class LossyBrowser {
  readonly #browser: Chromium;
  readonly #terms: RelayTerms;
  /** One of each tab. */
  readonly #relays: Relay[] = [];
  readonly #namespace: Namespace | undefined;
  /** Where a server has to listen for it. */
  readonly address: string;

  private constructor(browser: Chromium, terms: RelayTerms, namespace: Namespace | undefined) {
    this.#browser = browser;
    this.#terms = terms;
    this.#namespace = namespace;
    this.address = terms.address;
  }

  /** The kernel loses the datagrams, in a network namespace; `relayed`, or where there can be none, the relay does. */
  static async launch(lossPercent: number, { relayed = false, seed = 1 } = {}): Promise<LossyBrowser> {
    const namespace = relayed ? undefined : Namespace.open(lossPercent);
    const address = namespace?.address ?? '127.0.0.1';
    const terms = { address, delay: DELAY, lossPercent: namespace ? 0 : lossPercent, seed };
    const browser = await Chromium.launch(namespace?.program('/usr/bin/chromium'));
    return new LossyBrowser(browser, terms, namespace);
  }

  get lossBy(): 'kernel' | 'relay' {
    return this.#namespace === undefined ? 'relay' : 'kernel';
  }

  /** A tab whose media takes the line. */
  watch(url: string, options: BrowserContextOptions = {}): Promise<Tab> {
    return this.#browser.watch(url, options, (page) => this.#detour(page, ''));
  }

  /** The same with an offer that shows these candidates, lines of SDP. */
  watchWith(shown: string, url: string): Promise<Tab> {
    return this.#browser.watch(url, {}, (page) => this.#detour(page, shown));
  }

  /** A tab whose media goes past the line. */
  direct(url: string): Promise<Tab> {
    return this.#browser.watch(url);
  }

  /** As a NAT that forgets: whoever is on the line comes from another port from now on. */
  async rebind(): Promise<void> {
    await Promise.all(this.#relays.map((relay) => relay.rebind()));
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await Promise.all(this.#relays.map((relay) => relay.close()));
    this.#namespace?.close();
  }

  /** Neither end learns of the other's own addresses. */
  async #detour(page: Page, shown: string): Promise<void> {
    const relay = await Relay.open(this.#terms);
    this.#relays.push(relay);
    await page.route(/\/wh[ei]p\//, async (route: Route) => {
      const request = route.request();
      if (request.method() === 'PATCH') return route.fulfill({ status: 204 });
      if (request.method() !== 'POST') return route.continue();
      const offer = (request.postData() ?? '').replace(/^a=candidate:.*\r\n/gm, '');
      const postData = offer.replace(/^a=mid:.*\r\n/m, (mid) => `${mid}${shown}`);
      const response = await route.fetch({ postData });
      const answer = await response.text();
      const candidates = [...answer.matchAll(/^a=candidate:\S+ 1 udp \d+ ([\d.]+) (\d+) typ host.*$/gim)];
      const own = candidates.find(([, address]) => address === this.address);
      if (own === undefined) return route.fulfill({ response, body: answer });
      relay.lead(this.address, Number(own[2]));
      const only = `a=candidate:1 1 UDP 2130706431 ${this.address} ${relay.port} typ host`;
      const others = /^a=candidate:.*\r\n/gm;
      const body = answer.replace(own[0].trimEnd(), 'a=kept').replace(others, '').replace('a=kept', only);
      return route.fulfill({ response, body });
    });
  }
}

/** Watches a tab that shows numbered pictures, for some seconds. */
export async function watchFor(tab: Tab, seconds: number): Promise<Watched> {
  const start = { number: await numberOf(tab), media: await tab.media() };
  const end = performance.now() + seconds * 1000;
  let [last, longestFreeze] = [start.media, 0];
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const now = await tab.media();
    const freezes = now.freezeCount - last.freezeCount;
    if (freezes > 0) longestFreeze = Math.max(longestFreeze, (now.freezeSeconds - last.freezeSeconds) / freezes);
    last = now;
  }
  const sent = ((await numberOf(tab)) - start.number + 65_536) % 65_536;
  const since = (field: 'framesDecoded' | 'retransmitted' | 'keyframeRequests') => last[field] - start.media[field];
  return {
    decodedShare: since('framesDecoded') / sent,
    longestFreeze,
    retransmitted: since('retransmitted'),
    keyframeRequests: since('keyframeRequests'),
  };
}

async function numberOf(tab: Tab): Promise<number> {
  const number = await tab.frameNumber();
  if (number === undefined) throw new Error('the picture has no number');
  return number;
}

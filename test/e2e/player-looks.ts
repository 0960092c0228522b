import { mkdirSync } from 'node:fs';
import axe from 'axe-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium, type Tab } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const test = suite('the pages as people use them');
/** Looked at by people; kept where no commit picks it up. */
const artefacts = 'build/artefacts';
const SCREENS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;

let browser: Chromium;
let server: RunningServer;
let guarded: RunningServer;

test.before(async () => {
  mkdirSync(artefacts, { recursive: true });
  browser = await Chromium.launch();
  server = await startServer('node', ['--stream', 'demo=clip', '--stream', 'cam1=rtp:0']);
  guarded = await startServer('node', ['--token', 'sesame', '--open', 'observe']);
});

test.after(async () => {
  await browser.close();
  assert.equal(await server.stop(), { code: 0, signal: null });
  assert.equal(await guarded.stop(), { code: 0, signal: null });
});

declare const axeRun: typeof axe.run;

/** What axe-core finds wrong with a page as it is now. */
async function faults(tab: Tab): Promise<string[]> {
  await tab.page.evaluate(`${axe.source}; globalThis.axeRun = axe.run;`);
  const violations = await tab.page.evaluate(async () => (await axeRun()).violations);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

function status(tab: Tab, pattern: RegExp): Promise<true> {
  return eventually(String(pattern), async () => pattern.test((await tab.status()) ?? '') || undefined);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`every state is accessible in ${colorScheme} colours, on a desktop and on a phone`, async () => {
    for (const [screen, viewport] of Object.entries(SCREENS)) {
      const tab = await browser.watch(`${server.url}/play/demo`, { colorScheme, viewport });
      await tab.frames(10);
      await tab.page.getByRole('button', { name: 'Statistics' }).click();
      await status(tab, /^$/);
      await tab.page.locator('#figures', { hasText: 'fps' }).waitFor();
      assert.equal(await faults(tab), []);
      await tab.page.screenshot({ path: `${artefacts}/player-${screen}-${colorScheme}.png` });

      await tab.page.goto(`${server.url}/play/cam1`);
      await status(tab, /not live/);
      assert.equal(await faults(tab), []);
      await tab.page.goto(`${guarded.url}/play/demo`);
      await status(tab, /needs a token/);
      assert.equal(await faults(tab), []);
      await tab.page.goto(`${server.url}/`);
      assert.equal(await faults(tab), []);
      await tab.page.screenshot({ path: `${artefacts}/index-${screen}-${colorScheme}.png` });
      const overflow = await tab.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.is(overflow, 0, 'nothing is wider than the screen');
      await tab.page.close();
    }
  });
}

test('the overlay tells what the stream really is', async () => {
  const tab = await browser.watch(`${server.url}/play/demo`);
  await tab.frames(30);
  await tab.page.getByRole('button', { name: 'Statistics' }).click();
  const figure = async (label: string) =>
    (await tab.page.locator('#figures div', { hasText: label }).locator('dd').textContent()) ?? '';
  const { streams } = (await (await fetch(`${server.url}/webrtc/stats`)).json()) as {
    streams: { demo: { video: { width: number; height: number; frames_per_second: number } } };
  };
  const { width, height, frames_per_second } = streams.demo.video;
  assert.is(await figure('Resolution'), `${width} × ${height}`);
  await eventually('the frame rate', async () => {
    const shown = Number.parseInt(await figure('Frame rate'), 10);
    return Math.abs(shown - frames_per_second) <= 3;
  });
  assert.ok(Number.parseFloat(await figure('Bit rate')) > 0.02);
  assert.is(await figure('Loss'), '0.0 %');
  for (const label of ['Round trip', 'Jitter buffer', 'Latency']) {
    assert.match(await figure(label), /^\d+ ms$/, label);
    assert.ok(Number.parseInt(await figure(label), 10) < 5000, label);
  }
  await tab.page.close();
});

test('keys work while the player has the focus, and nowhere else', async () => {
  const tab = await browser.watch(`${server.url}/play/demo`);
  await tab.frames(10);
  await status(tab, /^$/);
  const { keyboard } = tab.page;
  const muted = () => tab.page.locator('#video').evaluate((video) => (video as HTMLVideoElement).muted);
  const overlay = tab.page.locator('#figures');
  const focused = () => tab.page.evaluate(() => document.activeElement?.id || document.activeElement?.className);

  const order: (string | undefined)[] = [];
  for (let count = 0; count < 4; count++) {
    await keyboard.press('Tab');
    order.push(await focused());
  }
  assert.equal(order, ['brand', 'sound', 'info', 'full']);
  await tab.page.getByRole('link', { name: 'all streams' }).focus();
  for (const key of ['m', 's', 'f']) await keyboard.press(key);
  assert.equal([await muted(), await overlay.isVisible()], [true, false]);

  await tab.page.getByRole('button', { name: 'Unmute' }).focus();
  await keyboard.press('Enter');
  assert.is(await muted(), false);
  await keyboard.press('m');
  assert.is(await muted(), true);
  await keyboard.press('s');
  assert.is(await overlay.isVisible(), true);
  assert.is(await tab.page.locator('#info').getAttribute('aria-expanded'), 'true');
  await keyboard.press('s');
  assert.is(await overlay.isVisible(), false);
  const full = () => tab.page.evaluate(() => document.fullscreenElement?.id);
  await keyboard.press('f');
  await eventually('full screen', async () => (await full()) === 'stage');
  await keyboard.press('f');
  await eventually('the window again', async () => (await full()) === undefined);
  await tab.page.close();
});

test('controls leave the picture alone until someone stirs; the way to sound stays', async () => {
  const tab = await browser.watch(`${server.url}/play/demo`);
  await tab.frames(10);
  const opacity = () => tab.page.locator('#bar').evaluate((bar) => getComputedStyle(bar).opacity);
  const idle = () => tab.page.locator('#stage[data-idle]').count();
  await eventually('rest', async () => (await idle()) === 1);
  assert.is(await opacity(), '1');
  await tab.page.locator('#video').evaluate((video) => {
    (video as HTMLVideoElement).muted = false;
  });
  await eventually('a clear picture', async () => (await opacity()) === '0');
  await tab.page.locator('#video').hover();
  await eventually('the controls', async () => (await opacity()) === '1');
  await tab.page.close();
});

test('a browser that cannot play the stream is told so in the words of the server', async () => {
  const tab = await browser.watch('about:blank');
  await tab.page.addInitScript(() => {
    const { createOffer } = RTCPeerConnection.prototype;
    Object.assign(RTCPeerConnection.prototype, {
      async createOffer(this: RTCPeerConnection): Promise<RTCSessionDescriptionInit> {
        const { type, sdp = '' }: RTCSessionDescriptionInit = await Reflect.apply(createOffer, this, []);
        return { type, sdp: sdp.replaceAll('H264/90000', 'H265/90000') };
      },
    });
  });
  await tab.page.goto(`${server.url}/play/demo`);
  await status(tab, /cannot decode H264.*offer is missing: H264/);
  assert.ok(await tab.page.getByRole('button', { name: 'Try again' }).isVisible());
  await tab.page.close();
});

test.run();

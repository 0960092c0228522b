import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Tab } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { LossyBrowser } from '../support/lossy.ts';
import { Publisher } from '../support/publisher.ts';
import { startServer } from '../support/server.ts';

const test = suite('a NAT that gives a browser another port in mid-session');
/** Milliseconds. */
const LONGEST_GAP = 1000;
/** Looks, of which one has to satisfy: a starved machine stops pictures that no NAT has harmed. */
const TRIES = 4;

/** The longest time without a new picture, in milliseconds, while `change` happens and until the pictures go on. */
async function gapDuring(tab: Tab, change: () => Promise<void>): Promise<number> {
  await tab.page.evaluate(() => {
    const video = document.querySelector('video');
    let last = performance.now();
    Object.assign(globalThis, { longest: 0 });
    const look = (now: number) => {
      longest = Math.max(longest, now - last);
      last = now;
      video?.requestVideoFrameCallback(look);
    };
    video?.requestVideoFrameCallback(look);
  });
  const { framesDecoded } = await tab.media();
  await change();
  await tab.frames(framesDecoded + 90);
  return tab.page.evaluate(() => longest);
}

declare let longest: number;

async function survives(tab: Tab, change: () => Promise<void>): Promise<void> {
  const gaps: number[] = [];
  while (gaps.length < TRIES && !(Math.min(...gaps) < LONGEST_GAP)) gaps.push(await gapDuring(tab, change));
  console.log(`gaps: ${gaps.map(Math.round).join(', ')} ms`);
  assert.ok(Math.min(...gaps) < LONGEST_GAP, `${gaps} ms without a picture`);
}

test('a viewer plays on', async () => {
  const browser = await LossyBrowser.launch(0, { relayed: true });
  const server = await startServer('node', ['--host', browser.address]);
  try {
    const tab = await browser.watch(`${server.url}/play/demo`);
    // From then on Chromium checks what works every 2.5 s only.
    await tab.frames(300);
    await survives(tab, () => browser.rebind());
    assert.is(tab.sessions.length, 1, 'it has not joined anew');
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
    await browser.close();
  }
});

test('what a publisher sends goes on', async () => {
  const browser = await LossyBrowser.launch(0, { relayed: true });
  const server = await startServer('node', ['--host', browser.address, '--stream', 'cam1=whip']);
  try {
    const publisher = await Publisher.start(browser, server.url, 'cam1');
    await server.live();
    const tab = await browser.direct(`${server.url}/play/cam1`);
    await tab.frames(300);
    await survives(tab, () => browser.rebind());
    assert.is((await publisher.stats()).state, 'connected');
    assert.is(await publisher.leave(), 200);
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
    await browser.close();
  }
});

for (const checks of ['client', 'both']) {
  test(`twenty-five dead candidates in front of the good one are no hindrance, checks begun by: ${checks}`, async () => {
    const browser = await LossyBrowser.launch(0, { relayed: true });
    const server = await startServer('node', ['--host', browser.address, '--ice-checks', checks]);
    try {
      const dead = Array.from(
        { length: 25 },
        (_, index) =>
          `a=candidate:${index} 1 udp ${2_130_706_431 - index} ${browser.address} ${2000 + index} typ host\r\n`,
      );
      const tab = await browser.watchWith(dead.join(''), `${server.url}/play/demo`);
      await tab.frames(30);
      await eventually('a live session', async () => (await server.stats()).active_peers === 1);
      await tab.page.close();
      assert.equal(await server.stop(), { code: 0, signal: null });
    } finally {
      server.child.kill('SIGKILL');
      await browser.close();
    }
  });
}

test.run();

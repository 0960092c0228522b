import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Player, PlayerState, play as playFunction } from '../../src/player/index.ts';
import { browserFor } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { numberedBars, sendRtp } from '../support/picture.ts';
import { lastState, phases, withPlayerSite } from '../support/player-site.ts';
import { startServer } from '../support/server.ts';

const test = suite('fetch-whep/player in a page of its user');
const browser = browserFor(test);
declare const play: typeof playFunction;
declare const player: Player;
declare const states: PlayerState[];

for (const [way, path] of [
  ['bundled', '/'],
  ['as one file', '/plain'],
] as const) {
  test(`${way}, it plays from another origin, tells states and figures, and leaves for good`, async () => {
    const server = await startServer('node', []);
    try {
      await withPlayerSite(async ({ origin }) => {
        const tab = await browser.watch(`${origin}${path}?whep=${server.url}/whep/demo`);
        await tab.frames(10);
        await eventually('the picture', async () => (await phases(tab)).at(-1) === 'playing');
        assert.equal(await phases(tab), ['connecting', 'playing']);
        assert.equal(await tab.page.evaluate(() => player.state), { phase: 'playing', video: true, audio: true });
        assert.is(await tab.page.evaluate(() => document.querySelector('video')?.muted), true);
        await tab.page.evaluate(() => player.stats());
        const figures = await eventually('figures', async () => {
          const stats = await tab.page.evaluate(() => player.stats());
          return stats?.framesPerSecond ? stats : undefined;
        });
        assert.equal([figures.width, figures.height], [640, 360]);

        await tab.page.evaluate(() => player.close());
        await server.viewers(0, 3000);
        assert.equal(await phases(tab), ['connecting', 'playing', 'closed']);
        assert.is(await tab.page.evaluate(() => document.querySelector('video')?.srcObject), null);
        assert.is(await tab.page.evaluate(() => player.stats()), undefined);
        assert.equal(tab.console, []);
        await tab.page.close();
        assert.equal(await server.stop(), { code: 0, signal: null });
      });
    } finally {
      server.child.kill('SIGKILL');
    }
  });
}

test('ICE servers are those of the options and of the server; the smallest delay is asked of both sides', async () => {
  const server = await startServer('node', ['--ice-server', 'stun:127.0.0.1:9']);
  try {
    await withPlayerSite(async ({ origin }) => {
      const tab = await browser.watch(`${origin}/?whep=${server.url}/whep/demo`);
      await tab.frames(1);
      const posted = tab.page.waitForRequest((request) => request.method() === 'POST');
      const { servers, targets } = await tab.page.evaluate(async (endpoint) => {
        const element = document.createElement('video');
        const iceServers = [{ urls: 'stun:127.0.0.1:10' }];
        const { connection } = await new Promise<Player>((resolve) => {
          const other = play(element, endpoint, {
            iceServers,
            lowLatency: true,
            onState: ({ phase }) => phase === 'playing' && resolve(other),
          });
        });
        return {
          servers: connection?.getConfiguration().iceServers?.flatMap(({ urls }) => urls),
          targets: connection?.getReceivers().map(({ jitterBufferTarget }) => jitterBufferTarget),
        };
      }, `${server.url}/whep/demo`);
      assert.equal(servers, ['stun:127.0.0.1:10', 'stun:127.0.0.1:9']);
      assert.equal(targets, [0, 0]);
      assert.is(new URL((await posted).url()).search, '?latency=low');
      await tab.page.close();
      assert.equal(await server.stop(), { code: 0, signal: null });
    });
  } finally {
    server.child.kill('SIGKILL');
  }
});

test('a browser that refuses sound is given a muted start; one that refuses all waits for a gesture', async () => {
  const server = await startServer('node', []);
  try {
    const tab = await browser.watch('about:blank');
    await tab.page.addInitScript(() => {
      const start = HTMLMediaElement.prototype.play;
      let clicked = false;
      const noteClick = () => {
        clicked = true;
      };
      addEventListener('click', noteClick, true);
      HTMLMediaElement.prototype.play = async function () {
        const allowed = clicked || (this.muted && sessionStorage.getItem('strict') === null);
        if (!allowed) throw new DOMException('no', 'NotAllowedError');
        await start.call(this);
      };
    });
    await withPlayerSite(async ({ origin }) => {
      await tab.page.goto(`${origin}/?whep=${server.url}/whep/demo`);
      await tab.page.evaluate((endpoint) => {
        player.close();
        const element = document.querySelector('video') ?? document.createElement('video');
        play(element, endpoint, { startMuted: false, onState: (state) => void states.push(state) });
      }, `${server.url}/whep/demo`);
      await eventually('the picture', async () => (await lastState(tab))?.phase === 'playing');
      assert.is(await tab.page.evaluate(() => document.querySelector('video')?.muted), true);
    });
    await tab.page.goto(`${server.url}/play/demo`);
    await tab.page.evaluate(() => sessionStorage.setItem('strict', ''));
    await tab.page.reload();
    await tab.page.getByRole('button', { name: 'Play', exact: true }).click();
    await eventually('the picture', async () => (await tab.status()) === '');
    await eventually('a frame number', () => tab.frameNumber());
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    server.child.kill('SIGKILL');
  }
});

test('the picture is shown from the live edge on, not while it catches up', async () => {
  const server = await startServer('node', ['--stream', 'cam1=rtp:0']);
  const ffmpeg = sendRtp(server.announcement.streams.cam1 ?? {}, numberedBars(), ['-g', '90']);
  try {
    await server.live();
    await withPlayerSite(async ({ origin }) => {
      const tab = await browser.watch(`${origin}/?whep=${server.url}/whep/cam1`);
      await tab.frames(10);
      // A starved machine may decode too slowly to catch up in time: one join that shows it is enough.
      await eventually(
        'a join that hides its catch-up',
        async () => {
          const { first, revealed } = await tab.page.evaluate(joinLate);
          return first >= 20 && revealed <= 5;
        },
        60_000,
      );
      await tab.page.close();
    });
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    ffmpeg.kill('SIGKILL');
    server.child.kill('SIGKILL');
  }
});

/** Joins in the second half of a group of pictures; by how many it is behind at its first and when it is revealed. */
async function joinLate(): Promise<{ first: number; revealed: number }> {
  const reference = document.querySelector('video');
  const context = new OffscreenCanvas(640, 40).getContext('2d', { willReadFrequently: true });
  if (reference === null || context === null) throw new Error('nothing to compare with');
  const number = (video: HTMLVideoElement) => {
    context.drawImage(video, 0, 320, 640, 40, 0, 0, 640, 40);
    const { data } = context.getImageData(0, 10, 640, 1);
    return [...Array(16).keys()].reduce((sum, bit) => sum * 2 + ((data[(bit * 40 + 20) * 4] ?? 0) > 128 ? 1 : 0), 0);
  };
  while (number(reference) % 90 < 30 || number(reference) % 90 > 75) {
    await new Promise((resolve) => reference.requestVideoFrameCallback(resolve));
  }
  const video = document.createElement('video');
  document.body.append(video);
  const behind = () => number(reference) - number(video);
  const endpoint = new URL(location.href).searchParams.get('whep') ?? '';
  const first = new Promise<number>((resolve) => {
    video.requestVideoFrameCallback(() => resolve(behind()));
  });
  const revealed = new Promise<number>((resolve) => {
    const late = play(video, endpoint, {
      onState: ({ phase }) => {
        if (phase !== 'playing') return;
        resolve(behind());
        setTimeout(() => late.close());
      },
    });
  });
  const behinds = { first: await first, revealed: await revealed };
  video.remove();
  return behinds;
}

test.run();

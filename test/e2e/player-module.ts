import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Player, PlayerState, play as playFunction } from '../../src/player/index.ts';
import { Chromium, type Tab } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { numberedBars, sendRtp } from '../support/picture.ts';
import { startServer } from '../support/server.ts';
import { bundled, type Site, site } from '../support/site.ts';

const test = suite('fetch-whep/player in a page of its user');

/** What the page's script leaves for the test. */
declare const play: typeof playFunction;
declare const player: Player;
declare const states: PlayerState[];

const SCRIPT = `
import { play } from 'fetch-whep/player';
const states = [];
const video = document.querySelector('video');
const endpoint = new URL(location.href).searchParams.get('whep');
const player = play(video, endpoint, { onState: (state) => states.push(state) });
Object.assign(globalThis, { play, player, states });`;
const PAGE = '<!doctype html><title>page</title><link rel="icon" href="data:,"><video playsinline></video>';

let browser: Chromium;
let files: Record<string, string>;

test.before(async () => {
  browser = await Chromium.launch();
  files = {
    '/': `${PAGE}<script type="module" src="/bundle.js"></script>`,
    '/bundle.js': await bundled(SCRIPT),
    '/plain': `${PAGE}<script type="module">${SCRIPT.replace('fetch-whep/player', '/player.js')}</script>`,
    '/player.js': readFileSync('dist/player/index.js', 'utf8'),
  };
});

test.after(async () => {
  await browser.close();
});

async function withSite(use: (site: Site) => Promise<void>, others?: Parameters<typeof site>[1]): Promise<void> {
  const running = await site(files, others);
  try {
    await use(running);
  } finally {
    running.close();
  }
}

function phases(tab: Tab): Promise<string[]> {
  return tab.page.evaluate(() => states.map(({ phase }) => phase));
}

function lastState(tab: Tab): Promise<PlayerState | undefined> {
  return tab.page.evaluate(() => states.at(-1));
}

for (const [way, path] of [
  ['bundled', '/'],
  ['as one file', '/plain'],
] as const) {
  test(`${way}, it plays from another origin, tells states and figures, and leaves for good`, async () => {
    const server = await startServer('node', []);
    try {
      await withSite(async ({ origin }) => {
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

/** A WHEP endpoint that refuses, each time as told, and knows when it was asked. */
function refusing(answers: { status: number; retryAfter?: string; text: string }[]) {
  const asked: { at: number; token: string | undefined }[] = [];
  const handler: NonNullable<Parameters<typeof site>[1]>[string] = (request, response) => {
    const { status, retryAfter, text } = answers[Math.min(asked.length, answers.length - 1)] ?? {
      status: 500,
      text: '',
    };
    asked.push({ at: performance.now(), token: request.headers.authorization });
    response.writeHead(status, retryAfter === undefined ? {} : { 'Retry-After': retryAfter }).end(text);
  };
  return { asked, others: { '/whep': handler } };
}

test('Retry-After of 409 and 503 is obeyed, whatever wakes the page; a lasting refusal is the last word', async () => {
  const { asked, others } = refusing([
    { status: 409, retryAfter: '1', text: 'not live' },
    { status: 503, retryAfter: '2', text: 'full' },
    { status: 406, text: 'codec mismatch' },
  ]);
  await withSite(async ({ origin }) => {
    const tab = await browser.watch(`${origin}/?whep=/whep`);
    await eventually('the second refusal', () => asked.length === 2);
    await eventually('its notice', async () => ((await lastState(tab)) as { reason?: string }).reason === 'full');
    await tab.page.evaluate(() => dispatchEvent(new Event('online')));
    await eventually('the last refusal', async () => (await lastState(tab))?.phase === 'refused');
    const [first, second, third] = asked.map(({ at }) => at);
    assert.ok((second ?? 0) - (first ?? 0) >= 990, `${second} - ${first}`);
    assert.ok((third ?? 0) - (second ?? 0) >= 1990, `${third} - ${second}`);

    const told = await tab.page.evaluate(() => states.filter(({ phase }) => phase !== 'connecting'));
    const words = told.map((state) => ('cause' in state ? [state.phase, state.cause, state.reason] : []));
    assert.equal(words, [
      ['waiting', 'not-live', 'not live'],
      ['waiting', 'busy', 'full'],
      ['refused', 'codec', 'codec mismatch'],
    ]);
    await tab.page.evaluate(() => dispatchEvent(new Event('online')));
    await tab.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1500)));
    assert.is(asked.length, 3);
    await tab.page.close();
  }, others);
});

test('a pause of its own ends when the network returns; each request has a fresh token', async () => {
  const { asked, others } = refusing([{ status: 500, text: 'broken' }]);
  await withSite(async ({ origin }) => {
    const tab = await browser.watch(`${origin}/`);
    await tab.page.evaluate((endpoint) => {
      let count = 0;
      const onState = (state: PlayerState) => void states.push(state);
      play(document.createElement('video'), endpoint, { token: async () => `token-${count++}`, onState });
    }, `${origin}/whep`);
    // The pause is 8 s by then, less a quarter at most.
    await eventually('five refusals', () => asked.length === 5, 20_000);
    await eventually('the pause', async () => (((await lastState(tab)) as { seconds?: number }).seconds ?? 0) > 5);
    const before = performance.now();
    await tab.page.evaluate(() => dispatchEvent(new Event('online')));
    await eventually('another request', () => asked.length === 6, 5000);
    assert.ok(performance.now() - before < 5000);
    assert.equal(
      asked.map(({ token }) => token),
      [0, 1, 2, 3, 4, 5].map((count) => `Bearer token-${count}`),
    );
    await tab.page.close();
  }, others);
});

test('a machine that wakes up keeps a connection that is alive, and at once gives up one that is dead', async () => {
  const server = await startServer('node', []);
  const signal = (name: NodeJS.Signals) => process.kill(server.child.pid, name);
  try {
    await withSite(async ({ origin }) => {
      const tab = await browser.watch(`${origin}/?whep=${server.url}/whep/demo`);
      await tab.frames(10);
      const sleepAMinute = () =>
        tab.page.evaluate(() => {
          const now = Date.now;
          Date.now = () => now() + 60_000;
        });
      await sleepAMinute();
      await tab.frames((await tab.media()).framesDecoded + 90);
      assert.is(tab.sessions.length, 1);

      const connection = await tab.page.evaluateHandle(() => {
        const changes: string[] = [];
        const { connection } = player;
        connection?.addEventListener('connectionstatechange', () => changes.push(connection.connectionState));
        return changes;
      });
      signal('SIGSTOP');
      await sleepAMinute();
      await eventually('the loss to be noticed', async () => (await lastState(tab))?.phase === 'waiting');
      assert.equal(await connection.jsonValue(), [], 'before the browser sees that nobody answers');
      signal('SIGCONT');
      await eventually('another session', () => tab.sessions.length === 2);
      await eventually('the picture', async () => (await lastState(tab))?.phase === 'playing');
      await tab.page.close();
      assert.equal(await server.stop(), { code: 0, signal: null });
    });
  } finally {
    server.child.kill('SIGKILL');
  }
});

test('the picture is shown from the live edge on, not while it catches up', async () => {
  const server = await startServer('node', ['--stream', 'cam1=rtp:0']);
  const ffmpeg = sendRtp(server.announcement.streams.cam1 ?? {}, numberedBars(), ['-g', '90']);
  try {
    await server.live();
    await withSite(async ({ origin }) => {
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

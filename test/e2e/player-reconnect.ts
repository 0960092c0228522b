import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Player, PlayerState, play as playFunction } from '../../src/player/index.ts';
import { browserFor } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { lastState, withPlayerSite } from '../support/player-site.ts';
import { startServer } from '../support/server.ts';
import type { site } from '../support/site.ts';

const test = suite('when fetch-whep/player connects again');
const browser = browserFor(test);
declare const play: typeof playFunction;
declare const player: Player;
declare const states: PlayerState[];

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
  await withPlayerSite(async ({ origin }) => {
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
  await withPlayerSite(async ({ origin }) => {
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
    await withPlayerSite(async ({ origin }) => {
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

test.run();

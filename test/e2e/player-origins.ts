import type { IncomingMessage, ServerResponse } from 'node:http';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Player, PlayerState, play as playFunction } from '../../src/player/index.ts';
import { browserFor, type Tab } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { withPlayerSite } from '../support/player-site.ts';
import { type Site, site } from '../support/site.ts';

const test = suite('whom fetch-whep/player follows');
const browser = browserFor(test);
declare const play: typeof playFunction;
declare const player: Player;
declare const states: PlayerState[];

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** What arrived, without preflights: method, path and credentials. */
class Log {
  readonly seen: [method: string, path: string, authorization: string | undefined][] = [];

  /** A handler that answers preflights by itself. */
  handler(answer: Answer): Answer {
    return (request, response) => {
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.setHeader('Access-Control-Allow-Headers', '*, Authorization, Content-Type');
      response.setHeader('Access-Control-Allow-Methods', '*');
      response.setHeader('Access-Control-Expose-Headers', '*');
      if (request.method === 'OPTIONS') {
        response.writeHead(204).end();
        return;
      }
      this.seen.push([request.method ?? '', request.url ?? '', request.headers.authorization]);
      answer(request, response);
    };
  }

  methods(): string[] {
    return this.seen.map(([method]) => method);
  }
}

/** A 201 whose answer is none: the player gives the session up at once. */
function created(location: string): Answer {
  return (request, response) => {
    if (request.method === 'DELETE') response.writeHead(200).end();
    else response.writeHead(201, { 'Content-Type': 'application/sdp', Location: location }).end('v=0');
  };
}

interface World {
  tab: Tab;
  a: Log;
  b: Log;
  origin: string;
}

/** A page and an endpoint on one origin, a hostile server on another; `answerOf` gives the endpoint's answer. */
async function withOrigins(answerOf: (b: Site) => Answer, use: (world: World) => Promise<void>): Promise<void> {
  const [a, b] = [new Log(), new Log()];
  const hostile = b.handler(created('/session/1'));
  const other = await site({}, { '/whep': hostile, '/session/1': hostile });
  const answer = a.handler(answerOf(other));
  try {
    await withPlayerSite(
      async ({ origin }) => {
        const tab = await browser.watch(`${origin}/?whep=/nothing`);
        await tab.page.evaluate(() => player.close());
        await use({ tab, a, b, origin });
        await tab.page.close();
      },
      { '/whep': answer, '/session/1': answer },
    );
  } finally {
    other.close();
  }
}

/** Starts a player with a token, and leaves its states. */
async function start(tab: Tab, followOrigins: true | string[] | undefined): Promise<void> {
  await tab.page.evaluate((origins) => {
    states.length = 0;
    const video = document.querySelector('video') ?? document.createElement('video');
    const onState = (state: PlayerState) => void states.push(state);
    const options = { token: 'hunter2', followOrigins: origins ?? undefined, onState };
    Object.assign(globalThis, { player: play(video, '/whep', options) });
  }, followOrigins ?? null);
}

function twice(log: Log): Promise<true> {
  return eventually('two attempts', () => log.methods().filter((each) => each === 'POST').length >= 2);
}

test('a session on the endpoint is ended there, with the token', async () => {
  await withOrigins(
    () => created('/session/1'),
    async ({ tab, a, b }) => {
      await start(tab, undefined);
      await twice(a);
      await eventually('its end', () => a.methods().includes('DELETE'));
      for (const [, , authorization] of a.seen) assert.is(authorization, 'Bearer hunter2');
      assert.equal(b.seen, []);
    },
  );
});

for (const [what, answerOf] of [
  [
    'a redirect',
    (b: Site): Answer =>
      (_, response) =>
        void response.writeHead(307, { Location: `${b.origin}/whep` }).end(),
  ],
  ['a session URL', (b: Site) => created(`${b.origin}/session/1`)],
] as const) {
  test(`${what} to another origin gets neither the token nor a DELETE`, async () => {
    await withOrigins(answerOf, async ({ tab, a, b }) => {
      await start(tab, undefined);
      await twice(a);
      await eventually('the third attempt', () => a.methods().filter((each) => each === 'POST').length >= 3);
      for (const [method, , authorization] of b.seen) assert.equal([method, authorization], ['POST', undefined]);
    });
  });

  test(`${what} to another origin that was named gets the DELETE, and no token`, async () => {
    await withOrigins(answerOf, async ({ tab, b }) => {
      await start(tab, true);
      await eventually('the DELETE', () => b.methods().includes('DELETE'));
      for (const [, , authorization] of b.seen) assert.is(authorization, undefined);
    });
  });
}

test('an endpoint that never answers is given up, and asked again; leaving ends the request under way', async () => {
  let aborted = 0;
  const silent: Answer = (request) => void request.socket.once('close', () => aborted++);
  await withOrigins(
    () => silent,
    async ({ tab, a }) => {
      await start(tab, undefined);
      const waiting = await eventually(
        'the wait',
        () => tab.page.evaluate(() => states.find(({ phase }) => phase === 'waiting')),
        30_000,
      );
      assert.is(waiting.phase === 'waiting' && waiting.cause, 'unreachable');
      await eventually('the end of the request', () => aborted === 1);
      await eventually('another request', () => a.seen.length === 2);
      await tab.page.evaluate(() => player.close());
      await eventually('the end of that one', () => aborted === 2);
    },
  );
});

test.run();

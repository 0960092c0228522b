import { readFileSync } from 'node:fs';
import type { PlayerState } from '../../src/player/index.ts';
import type { Tab } from './chromium.ts';
import { bundled, type Site, site } from './site.ts';

declare const states: PlayerState[];

const SCRIPT = `
import { play } from 'fetch-whep/player';
const states = [];
const video = document.querySelector('video');
const endpoint = new URL(location.href).searchParams.get('whep');
const player = play(video, endpoint, { onState: (state) => states.push(state) });
Object.assign(globalThis, { play, player, states });`;
const PAGE = '<!doctype html><title>page</title><link rel="icon" href="data:,"><video playsinline></video>';

/**
 * A site of a user of `fetch-whep/player`: `/` has it bundled, `/plain` imports it as it is; both play what their `whep`
 * parameter names, and leave `play`, `player` and `states` to the test. `others` are handlers by path.
 */
export async function withPlayerSite(
  use: (site: Site) => Promise<void>,
  others?: Parameters<typeof site>[1],
): Promise<void> {
  const files = {
    '/': `${PAGE}<script type="module" src="/bundle.js"></script>`,
    '/bundle.js': await bundled(SCRIPT),
    '/plain': `${PAGE}<script type="module">${SCRIPT.replace('fetch-whep/player', '/player.js')}</script>`,
    '/player.js': readFileSync('dist/player/index.js', 'utf8'),
  };
  const running = await site(files, others);
  try {
    await use(running);
  } finally {
    running.close();
  }
}

export function phases(tab: Tab): Promise<string[]> {
  return tab.page.evaluate(() => states.map(({ phase }) => phase));
}

export function lastState(tab: Tab): Promise<PlayerState | undefined> {
  return tab.page.evaluate(() => states.at(-1));
}

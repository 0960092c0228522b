import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { titleOf } from '../engine/codecs.ts';
import type { AudioFacts } from '../engine/port.ts';
import type { StreamStatus } from '../snapshot.ts';

/** An HTML page that needs nothing but itself, and the Content-Security-Policy that says so. */
export interface Page {
  html: string;
  csp: string;
}

/** What the list tells of a stream. */
export type Listed = Pick<StreamStatus, 'id' | 'state' | 'viewers' | 'media' | 'described'>;

/** Files that lie beside this code once it is built, read on first use. */
const assets = new Map<string, string>();

const MARK = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M5 3.5 21 12 5 20.5z"/></svg>';
const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="#0b57d0" d="M5 3 22 12 5 21z"/></svg>',
)}`;

/** The page that plays `stream`. It finds the WHEP endpoint relative to its own address, `.../play/STREAM`. */
export function playerPage(stream: string): Page {
  // What would end the script element inside of it.
  const script = asset('page.js').replaceAll('</script', '<\\/script');
  const id = escapeHtml(stream);
  const body = asset('player.html')
    .replaceAll('{{stream}}', () => id)
    .replace('{{mark}}', MARK);
  return page({
    title: `${id} · fetch-whep`,
    style: asset('page.css') + asset('player.css'),
    body: `<body data-stream="${id}">\n${body}<script>${script}</script>\n</body>`,
    policy: [`script-src ${hashOf(script)}`, "connect-src 'self'", "media-src 'self' blob:"],
  });
}

/** The list of streams, each with a link to its player; the address of the page has to end with a slash. */
export function indexPage(streams: readonly Listed[]): Page {
  const none = '<p class="quiet">There is no stream yet.</p>';
  const list = streams.length > 0 ? `<ul>\n${streams.map(card).join('\n')}\n</ul>` : none;
  return page({
    title: 'Streams · fetch-whep',
    style: asset('page.css') + asset('index.css'),
    body: `<body>
<header><div class="brand">${MARK}<span>fetch-whep</span></div></header>
<main>
<h1>Streams</h1>
${list}
</main>
</body>`,
    policy: [],
  });
}

function card({ id, state, viewers, media, described }: Listed): string {
  const live = state === 'live' ? ' live' : '';
  return `<li>
<a href="play/${encodeURIComponent(id)}">${escapeHtml(id)}</a><span class="state${live}">${escapeHtml(state)}</span>
<span class="quiet">${carried(media, described).join(' · ')}</span><span class="quiet">${viewers} ${viewers === 1 ? 'viewer' : 'viewers'}</span>
</li>`;
}

/** What a stream carries, in words. */
function carried(media: Listed['media'], { profile, level, tier }: Listed['described']): string[] {
  const { video, audio } = media?.facts ?? {};
  const { codec, parameters, width, height, bitDepth = 8, framesPerSecond } = video ?? {};
  const words = [codec && titleOf(codec), profile, level, tier === 'High' && 'High tier'];
  return [
    ...(parameters ? [words.filter(Boolean).join(' ')] : video ? ['picture'] : []),
    ...(width && height ? [`${width} × ${height}`] : []),
    ...(bitDepth > 8 ? [`${bitDepth} bit`] : []),
    ...(framesPerSecond ? [`${Math.round(framesPerSecond)} fps`] : []),
    ...(audio ? [sound(audio)] : []),
  ];
}

function sound({ codec, channels }: AudioFacts): string {
  if (channels === undefined) return 'sound';
  return `${titleOf(codec)} ${channels === 1 ? 'mono' : channels === 2 ? 'stereo' : `of ${channels} channels`}`;
}

function page({ title, style, body, policy }: { title: string; style: string; body: string; policy: string[] }): Page {
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="${ICON}">
<style>${style}</style>
</head>
${body}
</html>
`;
  // No frame-ancestors, on purpose: sites show the pages in frames, and a click there changes nothing on the server.
  const own = ["default-src 'none'", `style-src ${hashOf(style)}`, 'img-src data:'];
  return { html, csp: [...own, "base-uri 'none'", "form-action 'none'", ...policy].join('; ') };
}

function asset(name: string): string {
  const known = assets.get(name) ?? readFileSync(new URL(`./player/${name}`, import.meta.url), 'utf8');
  assets.set(name, known);
  return known;
}

/** CSP level 3 §2.3.1. */
function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}

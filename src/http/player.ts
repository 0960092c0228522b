import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** An HTML page that needs nothing but itself, and the Content-Security-Policy that says so. */
export interface Page {
  html: string;
  csp: string;
}

interface Assets {
  style: string;
  script: string;
}

let loaded: Assets | undefined;

/** The page that plays `stream`. It finds the WHEP endpoint relative to its own address, `.../play/STREAM`. */
export function playerPage(stream: string): Page {
  const { script } = assets();
  const id = escapeHtml(stream);
  const body = `<body data-stream="${id}">
<main>
<h1>${id}</h1>
<div id="stage" data-phase="connecting">
<video id="video" autoplay muted playsinline aria-label="Live picture of ${id}"></video>
<p id="status" role="status">Connecting …</p>
<button id="sound" type="button" hidden>Unmute</button>
</div>
<noscript><p>Playing a stream needs JavaScript.</p></noscript>
</main>
<script>${script}</script>
</body>`;
  return page(`${id} · fetch-whep`, body, [
    `script-src ${hashOf(script)}`,
    "connect-src 'self'",
    "media-src 'self' blob:",
  ]);
}

/** The list of streams, each with a link to its player; the address of the page has to end with a slash. */
export function indexPage(streams: readonly { id: string; state: string }[]): Page {
  const rows = streams.map(({ id, state }) => {
    return `<li><a href="play/${encodeURIComponent(id)}">${escapeHtml(id)}</a> <span>${escapeHtml(state)}</span></li>`;
  });
  const list = rows.length > 0 ? `<ul>\n${rows.join('\n')}\n</ul>` : '<p class="quiet">There is no stream yet.</p>';
  return page('Streams · fetch-whep', `<body>\n<main>\n<h1>Streams</h1>\n${list}\n</main>\n</body>`, []);
}

function page(title: string, body: string, policy: string[]): Page {
  const { style } = assets();
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
${body}
</html>
`;
  const own = ["default-src 'none'", `style-src ${hashOf(style)}`, 'img-src data:'];
  return { html, csp: [...own, "base-uri 'none'", "form-action 'none'", ...policy].join('; ') };
}

/** Read on first use: beside this code once it is built. */
function assets(): Assets {
  const read = (name: string) => readFileSync(new URL(`./player/${name}`, import.meta.url), 'utf8');
  loaded ??= {
    style: read('page.css'),
    // What would end the script element inside of it.
    script: read('page.js').replaceAll('</script', '<\\/script'),
  };
  return loaded;
}

/** CSP level 3 §2.3.1. */
function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}

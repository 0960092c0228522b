import type { Exchange, Route, Services } from './exchange.ts';
import { indexPage, type Page, playerPage } from './player.ts';

/** The pages for people: the list of streams, and the player of each. */
export function pageRoutes({ hub }: Services): Route[] {
  const index = ({ request, prefix }: Exchange) =>
    new URL(request.url).pathname.endsWith('/') ? show(indexPage(hub.snapshot().streams)) : moved(`${prefix}/`);
  return [
    { name: 'index', action: 'observe', path: '/', methods: { GET: index } },
    {
      name: 'play',
      path: '/play/:id',
      methods: { GET: ({ params }) => show(playerPage(params.id)) },
      slashed: { GET: ({ prefix, params }) => moved(`${prefix}/play/${params.id}`) },
    },
  ];
}

function show({ html, csp }: Page): Response {
  return new Response(html, {
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': csp,
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-store',
    },
  });
}

/** The pages link relatively: a slash too many or too few would lead them astray. */
function moved(location: string): Response {
  return new Response(null, { status: 308, headers: { Location: location } });
}

import { createServer } from 'fetch-whep';

const live = await createServer({ basePath: '/live', streams: { demo: 'clip' } });

const { addr } = Deno.serve({ hostname: '127.0.0.1', port: 8080 }, (request) => {
  const { pathname } = new URL(request.url);
  return pathname.startsWith('/live/') ? live.fetch(request) : new Response('Not found', { status: 404 });
});
console.log(`watch at http://127.0.0.1:${addr.port}/live/play/demo`);

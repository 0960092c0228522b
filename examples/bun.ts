import { createServer } from 'fetch-whep';

const live = await createServer({ basePath: '/live', streams: { demo: 'clip' } });

const { url } = Bun.serve({
  hostname: '127.0.0.1',
  port: 8080,
  routes: { '/live/*': live.fetch },
  fetch: () => new Response('Not found', { status: 404 }),
});
console.log(`watch at ${new URL('/live/play/demo', url)}`);

import { createServer } from 'fetch-whep';
import { serve } from 'fetch-whep/serve';
import { Hono } from 'hono';

const live = await createServer({ basePath: '/live', streams: { demo: 'clip' } });

const app = new Hono();
app.get('/', (context) => context.html('<a href="/live/play/demo">Watch</a>'));
app.all('/live/*', ({ req }) => live.fetch(req.raw));

const { url } = await serve(app, { port: 8080 });
console.log(`watch at ${url}/live/play/demo`);

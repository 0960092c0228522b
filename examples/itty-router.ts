import { createServer } from 'fetch-whep';
import { serve } from 'fetch-whep/serve';
import { Router } from 'itty-router';

const live = await createServer({ basePath: '/live', streams: { demo: 'clip' } });

const router = Router();
router.all('/live/*', live.fetch);
router.all('*', () => new Response('Not found', { status: 404 }));

const { url } = await serve(router, { port: 8080 });
console.log(`watch at ${url}/live/play/demo`);

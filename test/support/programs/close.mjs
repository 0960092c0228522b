// Embeds a server, uses it, closes it and then has nothing more to do: the process has to end by itself.
import { createServer } from '../../../dist/index.js';
import { serve } from '../../../dist/serve.js';

const server = await createServer({ mediaHost: '127.0.0.1', streams: { demo: 'clip', cam1: 'rtp:0,0' } });
const listener = await serve(server, { port: 0 });
const health = await fetch(`${listener.url}/healthz`);
await health.text();
await server.close();
await server.close();
await listener.close();
console.log(`closed after ${health.status}`);

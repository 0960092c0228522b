// Embeds a server, uses it, closes it and then has nothing more to do: the process has to end by itself.
import { readFileSync } from 'node:fs';
import { argv } from 'node:process';
import { createServer } from '../../../dist/index.js';
import { serve } from '../../../dist/serve.js';

const [, , engine] = argv;
const server = await createServer({ engine, mediaHost: '127.0.0.1', streams: { demo: 'clip', cam1: 'rtp:0,0' } });
const listener = await serve(server, { port: 0 });
const health = await fetch(`${listener.url}/healthz`);
await health.text();
while (server.streams.get('demo').state !== 'live') await new Promise((resolve) => setTimeout(resolve, 10));
const body = readFileSync('test/support/offers/chromium-watch.sdp');
const headers = { 'Content-Type': 'application/sdp' };
const joined = await fetch(`${listener.url}/whep/demo`, { method: 'POST', headers, body });
await joined.text();
const { engine: kind } = server.snapshot();
await server.close();
await server.close();
await listener.close();
console.log(`closed ${kind} after ${health.status}, ${joined.status}`);

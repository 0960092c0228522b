import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'fetch-whep';
import type { NodeHttp1Handler } from 'srvx';
import { toNodeHandler } from 'srvx/node';

const live = await createServer({ basePath: '/live', streams: { demo: 'clip' } });
const handler = toNodeHandler(live.fetch) as NodeHttp1Handler;

const http = createHttpServer((request, response) => {
  if (request.url?.startsWith('/live/')) return handler(request, response);
  response.writeHead(404).end('Not found');
});
http.listen(8080, '127.0.0.1');
await once(http, 'listening');

const { port } = http.address() as AddressInfo;
console.log(`watch at http://127.0.0.1:${port}/live/play/demo`);

// Serves the clip: `proxied.mjs OPTIONS`, JSON of those of `createServer` and `serve`. Prints where it listens, and then what
// `authorize` sees of each request, a line of JSON each.
import { argv } from 'node:process';
import { createServer } from '../../../dist/index.js';
import { serve } from '../../../dist/serve.js';

const { trustedProxies, ...options } = JSON.parse(argv[2]);
const server = await createServer({
  mediaHost: '127.0.0.1',
  streams: { demo: 'clip' },
  authorize: ({ method, url, ip }, { action }) => {
    console.log(JSON.stringify({ method, action, url, ip }));
    return true;
  },
  ...options,
});
const { url } = await serve(server, { port: 0, trustedProxies });
console.log(JSON.stringify({ listening: url }));

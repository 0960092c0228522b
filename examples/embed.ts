import { createServer } from 'fetch-whep';
import { serve } from 'fetch-whep/serve';

const server = await createServer({
  streams: { cam1: 'rtp:5004,5006', demo: 'clip' },
  maxViewersPerStream: 200,
  authorize: ({ headers }, { stream }) => stream === 'demo' || headers.get('cookie') === 'member=yes',
});

const { url } = await serve(server, { port: 8080 });
console.log(`watch at ${url}/play/demo`);

import { createServer } from 'fetch-whep';
import { serve } from 'fetch-whep/serve';

const server = await createServer({
  streams: { cam1: 'rtp:5004,5006', demo: 'clip' },
  maxViewersPerStream: 200,
  authorize: (request, { stream }) =>
    stream === 'demo' || request.headers.get('cookie')?.includes('member=yes') === true,
});

const { url } = await serve(server, { port: 8080 });
console.log(`watch at ${url}/play/demo`);

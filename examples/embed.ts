import { createServer } from 'fetch-whep';
import { serve } from 'fetch-whep/serve';

const isMember = ({ headers }: Request) => headers.get('cookie')?.split('; ').includes('member=yes') === true;
const server = await createServer({
  streams: { cam1: 'rtp:5004,5006', demo: 'clip' },
  authorize: {
    watch: (request, { stream }) => stream === 'demo' || isMember(request),
    publish: () => false,
    observe: isMember,
  },
});

const { url } = await serve(server, { port: 8080 });
console.log(`watch at ${url}/play/demo`);

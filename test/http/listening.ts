import { createServer, type Server } from '../../src/index.ts';
import { type Boot, contract } from '../contract.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { LISTENERS, type Listener } from '../support/listen.ts';

/** The contract over sockets: what a listener or a client adds, drops or rewrites shows here. */
function behind(listen: (fetch: Server['fetch']) => Promise<Listener>): Boot {
  return async (options) => {
    const engine = new FakeEngine();
    const server = await createServer({ engine, ...options });
    const { origin, close } = await listen(server.fetch);
    return {
      fetch: (request) => fetch(request),
      origin,
      engine,
      close: async () => {
        await server.close();
        await close();
      },
    };
  };
}

for (const [name, listen] of LISTENERS) {
  contract(`listening by ${name}`, behind(listen), ['script', 'hook', 'publish']);
}

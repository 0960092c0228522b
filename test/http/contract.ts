import { createServer } from '../../src/index.ts';
import { contract } from '../contract.ts';
import { FakeEngine } from '../support/fake-engine.ts';

contract(
  'called directly',
  async (options) => {
    const engine = new FakeEngine();
    const server = await createServer({ engine, ...options });
    return { fetch: server.fetch, engine, close: server.close };
  },
  ['script', 'hook', 'publish'],
);

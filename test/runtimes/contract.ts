import { contract } from '../contract.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { startConfigured } from '../support/server.ts';

const runtime = currentRuntime();

/** The contract against `fetch-whep serve`: a process of its own, the native engine, options from a file. */
contract(
  `a ${runtime} process with the native engine`,
  async (options) => {
    const server = await startConfigured(runtime, options);
    return { fetch: (request) => fetch(request), origin: server.url, close: async () => void (await server.stop()) };
  },
  ['publish'],
);

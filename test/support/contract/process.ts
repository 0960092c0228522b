import type { ServerOptions } from '../../../src/index.ts';
import type { Runtime } from '../runtimes.ts';
import { startConfigured } from '../server.ts';
import type { Booted } from './client.ts';

/** `fetch-whep serve`: a process of its own, options from a file. */
export async function bootProcess(runtime: Runtime, options: ServerOptions): Promise<Booted> {
  const server = await startConfigured(runtime, options);
  return { fetch: (request) => fetch(request), origin: server.url, close: async () => void (await server.stop()) };
}

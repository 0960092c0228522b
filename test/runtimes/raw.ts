import { rawHttp } from '../support/raw.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { startConfigured } from '../support/server.ts';

const runtime = currentRuntime();

rawHttp(`a ${runtime} process with the native engine`, async (options) => {
  const server = await startConfigured(runtime, options);
  return { port: Number(new URL(server.url).port), close: async () => void (await server.stop()) };
});

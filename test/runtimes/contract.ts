import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contract } from '../contract.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

const runtime = currentRuntime();

/** The contract against `fetch-whep serve`: a process of its own, the native engine, options from a file. */
contract(
  `a ${runtime} process with the native engine`,
  async (options) => {
    const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-'));
    const file = join(folder, 'config.json');
    writeFileSync(file, JSON.stringify(options));
    const server = await startServer(runtime, ['--config', file]);
    return {
      fetch: (request) => fetch(request),
      origin: server.url,
      close: async () => {
        await server.stop();
        rmSync(folder, { recursive: true });
      },
    };
  },
  ['publish'],
);

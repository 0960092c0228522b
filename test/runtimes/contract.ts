import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ServerOptions } from '../../src/index.ts';
import { contract } from '../contract.ts';
import type { Booted } from '../support/contract/client.ts';
import { Secrets } from '../support/contract/secrets.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { startConfigured } from '../support/server.ts';

const runtime = currentRuntime();

/** What servers that have ended said, and the secrets in it. */
const ended: { log: string; told: string[] }[] = [];

/** A process that says all it can. */
async function boot(options: ServerOptions): Promise<Booted> {
  const secrets = new Secrets(options);
  const talkative = { ...options, engine: 'native', logLevel: 'trace' } as const;
  const server = await startConfigured(runtime, talkative, { FETCH_WHEP_RTC_LOG: 'verbose' });
  return {
    fetch: (request) => secrets.fetch(request),
    origin: server.url,
    close: async () => {
      await server.stop();
      const log = server.child.stdout + server.child.stderr;
      ended.push({ log, told: secrets.in(log) });
    },
  };
}

contract(`a ${runtime} process with the native engine`, boot, ['publish']);

const test = suite(`the log of a ${runtime} process that was held to the contract`);

test('at its most talkative it names no token, no password or credential and no whole session id', () => {
  for (const part of ['POST whep 201', 'joined live', 'ICE']) {
    assert.ok(
      ended.some(({ log }) => log.includes(part)),
      part,
    );
  }
  assert.equal(
    ended.flatMap(({ told }) => told),
    [],
  );
});

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { patchMutated, postMutatedOffers } from '../support/mutated-requests.ts';
import { rounds } from '../support/rounds.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { type RunningServer, startServer } from '../support/server.ts';

/** What the policy lets through, the native engine has to understand. */
const test = suite('mutated requests to a process with the native engine');

let server: RunningServer;
let client: Client;

test.before(async () => {
  const options = ['--stream', 'live=clip', '--stream', 'pub=whip', '--max-viewers-per-stream', 'none'];
  server = await startServer(currentRuntime(), options);
  await server.live();
  client = new Client({ fetch: (request) => fetch(request), origin: server.url, close: async () => {} });
});

test.after(async () => {
  assert.equal(await server.stop(), { code: 0, signal: null });
});

for (const role of ['watch', 'publish'] as const) {
  test(`an offer to ${role}, however mutated, gets an answer that keeps the rules, or 4xx`, () =>
    postMutatedOffers(client, role, rounds(120)));
}

test('a fragment, however mutated, is 204 or 4xx', async () => {
  const { location } = await client.watch();
  const texts = [fragment('candidate:1 1 UDP 2122252543 127.0.0.1 54321 typ host'), fragment('end-of-candidates')];
  await patchMutated(client, location, texts, rounds(120));
  await client.leave();
  assert.is((await client.stats()).active_peers, 0);
});

test.run();

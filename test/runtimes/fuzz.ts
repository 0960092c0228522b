import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client, FRAGMENT, SDP } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { mutated } from '../support/mutations.ts';
import { offers } from '../support/offers.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { type RunningServer, startServer } from '../support/server.ts';

/** What the policy lets through, the native engine has to understand. */
const test = suite('mutated requests to a process with the native engine');

/** Whoever sends nonsense gets one of these. */
const REFUSALS = [400, 406, 413, 415, 422];
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

for (const [role, path] of [
  ['watch', '/whep/live'],
  ['publish', '/whip/pub'],
] as const) {
  const texts = offers.filter((offer) => offer.role === role).map(({ sdp }) => sdp);

  test(`an offer to ${role}, however mutated, gets an answer that keeps the rules, or 4xx`, async () => {
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(mutated(texts), async (body) => {
        const { status, text } = await client.send('POST', path, { headers: SDP, body });
        if (status === 201) answered++;
        else assert.ok(REFUSALS.includes(status), `${status} ${text}`);
        await client.leave();
      }),
      { numRuns: 120 },
    );
    assert.ok(answered > 10, `only ${answered} were answered: the mutations are too harsh to tell`);
  });
}

test('a fragment, however mutated, is 204 or 4xx', async () => {
  const { location } = await client.watch();
  const texts = [fragment('candidate:1 1 UDP 2122252543 127.0.0.1 54321 typ host'), fragment('end-of-candidates')];
  await fc.assert(
    fc.asyncProperty(mutated(texts), async (body) => {
      const { status, text } = await client.send('PATCH', location, { headers: FRAGMENT, body });
      assert.ok(status === 204 || REFUSALS.includes(status), `${status} ${text}`);
    }),
    { numRuns: 120 },
  );
  await client.leave();
  assert.is((await client.stats()).active_peers, 0);
});

test.run();

import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type Client, FRAGMENT, SDP } from './contract/client.ts';
import { mutated } from './mutations.ts';
import { offers, type SampleOffer } from './offers.ts';

/** Whoever sends nonsense gets one of these. */
export const REFUSALS = [400, 404, 406, 413, 415, 422];

/** POSTs mutated offers: each gets an answer that keeps the rules, which the client checks, or 4xx. */
export async function postMutatedOffers(client: Client, role: SampleOffer['role'], numRuns: number): Promise<void> {
  const texts = offers.filter((offer) => offer.role === role).map(({ sdp }) => sdp);
  const path = role === 'watch' ? '/whep/live' : '/whip/pub';
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(mutated(texts), async (body) => {
      const { status, text } = await client.send('POST', path, { headers: SDP, body });
      if (status === 201) answered++;
      else assert.ok(REFUSALS.includes(status), `${status} ${text}`);
      await client.leave();
    }),
    { numRuns },
  );
  assert.ok(answered > numRuns / 12, `only ${answered} were answered: the mutations are too harsh to tell`);
}

/** PATCHes a session with mutations of these fragments: each is 204 or 4xx. */
export async function patchMutated(client: Client, location: string, texts: string[], numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(mutated(texts), async (body) => {
      const { status, text } = await client.send('PATCH', location, { headers: FRAGMENT, body });
      assert.ok(status === 204 || REFUSALS.includes(status), `${status} ${text}`);
    }),
    { numRuns },
  );
}

import { Refusal } from './refusal.ts';

/** Characters; more is no address of a session. */
const MAX_LOCATION = 2048;

/** Origins that may be followed to besides those that a client was sent to by its user. */
export type FollowOrigins = true | readonly string[];

/**
 * Where a Location leads, seen from the URL that sent it (RFC 9110 §10.2.2). Throws a `Refusal` when that is nowhere, no
 * longer encrypted, or on an origin to which nobody has sent us: other servers would use us to reach what they cannot.
 */
export function follow(location: string, from: URL, origins: FollowOrigins): URL {
  if (location.length > MAX_LOCATION || !URL.canParse(location, from)) throw nowhere();
  const to = new URL(location, from);
  if (!/^https?:$/.test(to.protocol) || to.username !== '' || to.password !== '') throw nowhere();
  if (from.protocol === 'https:' && to.protocol !== 'https:') {
    throw new Refusal('the other server leads from https to http, which is not followed');
  }
  if (to.origin !== from.origin && origins !== true && !origins.includes(to.origin)) {
    throw new Refusal('the other server leads to another origin: if you trust that one, name it in followOrigins');
  }
  return to;
}

function nowhere(): Refusal {
  return new Refusal('the other server leads to nowhere');
}

/** RFC 9110 §8.8.3, of modest length. What is no entity tag is not sent on. */
export function entityTag(header: string | null): string | undefined {
  return header !== null && /^(W\/)?"[\x21\x23-\x7e]{0,256}"$/.test(header) ? header : undefined;
}

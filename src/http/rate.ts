import { isIPv6 } from 'node:net';
import { Failure } from '../errors.ts';
import type { Settings } from '../options.ts';

interface Bucket {
  tokens: number;
  /** `performance.now()` when `tokens` was right. */
  at: number;
}

/** Clients remembered at once; the one that was quiet for longest is forgotten first. */
const MAX_CLIENTS = 10_000;
/** Characters. Clients with longer keys, which may come from their own headers, count as one. */
const MAX_KEY = 256;

/** A token bucket for each client. */
export class RateLimiter {
  readonly #terms: Settings['rateLimit'];
  readonly #buckets = new Map<string, Bucket>();

  constructor(terms: Settings['rateLimit']) {
    this.#terms = terms;
  }

  /** Throws `rate-limited`. */
  take(request: Request): void {
    if (this.#terms === undefined) return;
    const { perSecond, burst, key } = this.#terms;
    const client = key === undefined ? socketAddress(request) : keyOf(key(request));
    const now = performance.now();
    const bucket = this.#buckets.get(client) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    this.#remember(client, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    if (tokens < 1) {
      throw new Failure('rate-limited', 'too many requests', { retryAfter: Math.ceil((1 - tokens) / perSecond) });
    }
  }

  #remember(client: string, bucket: Bucket): void {
    // A Map keeps the order of insertion: the first key is the one unused for longest.
    this.#buckets.delete(client);
    this.#buckets.set(client, bucket);
    if (this.#buckets.size <= MAX_CLIENTS) return;
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}

/** A promise, say, would be a new client each time. */
function keyOf(key: unknown): string {
  if (typeof key !== 'string') throw new TypeError(`rateLimit.key gives a string, not ${typeof key}`);
  return key.length > MAX_KEY ? '' : key;
}

/** srvx puts the address on the request. Where nobody does, all clients are one. */
function socketAddress(request: Request): string {
  return 'ip' in request && typeof request.ip === 'string' ? hostOf(request.ip) : '';
}

/** RFC 4291 §2.5.4: an IPv6 host has the last 64 bits to itself, and as many addresses. */
function hostOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address;
  const [head = [], tail = []] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}

import { Failure } from '../errors.ts';
import type { Settings } from '../options.ts';

interface Bucket {
  tokens: number;
  /** `performance.now()` when `tokens` was right. */
  at: number;
}

/** Clients remembered at once; the one that was quiet for longest is forgotten first. */
const MAX_CLIENTS = 10_000;

/** A token bucket for each client. */
export class RateLimiter {
  readonly #terms: Settings['rateLimit'];
  readonly #buckets = new Map<string, Bucket>();

  constructor(terms: Settings['rateLimit']) {
    this.#terms = terms;
  }

  /** Throws `rate-limited`. */
  take(client: string): void {
    if (this.#terms === undefined) return;
    const { perSecond, burst } = this.#terms;
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

import { Buffer } from 'node:buffer';
import { getLogger } from '@logtape/logtape';
import { collect } from '../../collect.ts';
import { unlessAborted } from '../../patience.ts';
import { leadsInside } from '../addresses.ts';
import { entityTag, type FollowOrigins, follow } from './follow.ts';
import { PATH_HEADER, readPath } from './path.ts';
import { failureInWords, Refusal, statusInWords } from './refusal.ts';
import type { WhepSpec } from './spec.ts';
import { withTimeout } from './timeout.ts';

const log = getLogger(['fetch-whep', 'pull']);

/** From a request to the last byte of its answer. Milliseconds. */
const ANSWER_TIME = 10_000;
/** The same for a request that nobody should have to wait for. */
const ASIDE_TIME = 2_000;
/** Bytes; answers have some thousand. */
const MAX_ANSWER = 64 * 1024;
const MAX_REDIRECTS = 5;
/** A server that wants us to wait for longer is asked again all the same. Seconds. */
const MAX_RETRY_AFTER = 300;

/** A session that the other server gave. */
export interface Answered {
  /** Unread: it may hold anything. */
  answer: string;
  /** Absent when the server did not say, or not one that may be followed; it then ends with the media. */
  session?: { url: URL; etag: string | undefined };
  /** The marks of the stream there and of those it comes from. */
  path: string[];
}

/** The HTTP side of WHEP (draft-ietf-wish-whep §4), as a client. */
export class WhepClient {
  readonly #endpoint: URL;
  readonly #authorization: string | undefined;
  readonly #origins: FollowOrigins;
  readonly #outside: boolean;
  /** The last request went to a public address, or the first has to: from there nothing leads inside. */
  #isOutside = false;

  /** `outside`: this machine and private networks are out of bounds from the first request on. */
  constructor({ url, token, followOrigins = [] }: Pick<WhepSpec, 'url' | 'token' | 'followOrigins'>, outside: boolean) {
    this.#endpoint = new URL(url);
    this.#authorization = token === undefined ? basic(this.#endpoint) : `Bearer ${token}`;
    this.#origins = followOrigins === true || [this.#endpoint.origin, ...followOrigins];
    this.#outside = outside;
    // fetch refuses URLs with credentials.
    Object.assign(this.#endpoint, { username: '', password: '', hash: '' });
  }

  /** The address by which a server on this machine reaches us when its media are bound to loopback, as by default. */
  get loopback(): string[] {
    const { hostname } = this.#endpoint;
    if (hostname === '[::1]') return ['::1'];
    return hostname === 'localhost' || hostname.startsWith('127.') ? ['127.0.0.1'] : [];
  }

  /** POSTs an offer. Rejects with a `Refusal`. */
  join(offer: string, signal: AbortSignal): Promise<Answered> {
    return withTimeout(ANSWER_TIME, signal, (limited) => this.#join(offer, limited));
  }

  async #join(offer: string, signal: AbortSignal): Promise<Answered> {
    const headers = { 'Content-Type': 'application/sdp', Accept: 'application/sdp' };
    let url = this.#endpoint;
    this.#isOutside = this.#outside;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await this.#send('POST', url, { headers, body: offer, signal });
      if (response.status !== 307 && response.status !== 308) return this.#read(response, url, signal);
      await discard(response);
      url = follow(response.headers.get('location') ?? '', url, this.#origins);
    }
    throw new Refusal(`the other server redirects more than ${MAX_REDIRECTS} times`);
  }

  /** Whether the other server still has the session; a fragment that adds nothing is how a client can ask. */
  async has({ url, etag }: NonNullable<Answered['session']>, fragment: string, signal: AbortSignal): Promise<boolean> {
    const headers = { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': etag ?? '*' };
    try {
      const response = await withTimeout(ASIDE_TIME, signal, (limited) =>
        this.#send('PATCH', url, { headers, body: fragment, signal: limited }),
      );
      await discard(response);
      // Servers without PATCH say 405 or 501, and nothing of the session.
      return ![404, 405, 410, 501].includes(response.status);
    } catch {
      return false;
    }
  }

  /** Ends a session; a server that cannot be reached finds out by itself. */
  async leave({ url }: NonNullable<Answered['session']>): Promise<void> {
    try {
      await discard(await this.#send('DELETE', url, { signal: AbortSignal.timeout(ASIDE_TIME) }));
    } catch (error) {
      log.debug('the session could not be ended: {error}', { error });
    }
  }

  async #send(method: string, url: URL, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
    // Credentials are for the server they were given for.
    const own = url.origin === this.#endpoint.origin && this.#authorization;
    const headers = { ...init.headers, 'User-Agent': 'fetch-whep', ...(own && { Authorization: own }) };
    try {
      await unlessAborted(this.#enter(url), init.signal);
      return await fetch(url, { ...init, method, headers, redirect: 'manual' });
    } catch (error) {
      throw error instanceof Refusal ? error : new Refusal(failureInWords(error), { passing: true });
    }
  }

  /** Throws a `Refusal` where a way from outside leads inside, by what the name says now; `fetch` asks again by itself. */
  async #enter({ host }: URL): Promise<void> {
    const inside = await leadsInside(host).catch((error: unknown) => {
      if (this.#isOutside) throw error;
      // A proxy may know the name.
      return true;
    });
    if (inside && this.#isOutside) {
      throw new Refusal('the other server is at a private address, or leads to one, which is not followed');
    }
    this.#isOutside = !inside;
  }

  async #read(response: Response, url: URL, signal: AbortSignal): Promise<Answered> {
    const { status, headers } = response;
    if (status !== 201) {
      await discard(response);
      const offer = headers.get('content-type')?.startsWith('application/sdp') === true;
      const credentials = this.#authorization !== undefined;
      throw new Refusal(statusInWords(status, { credentials, offer }), {
        retryAfter: retryAfter(headers),
        passing: [409, 429, 503].includes(status),
      });
    }
    const session = this.#session(headers.get('location'), url);
    return {
      answer: await text(response, signal),
      ...(session && { session: { url: session, etag: entityTag(headers.get('etag')) } }),
      path: readPath(headers.get(PATH_HEADER)),
    };
  }

  #session(location: string | null, from: URL): URL | undefined {
    if (location === null) return undefined;
    try {
      return follow(location, from, this.#origins);
    } catch (error) {
      log.info('a session goes without its URL: {error}', { error: String(error) });
      return undefined;
    }
  }
}

function basic({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const plain = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(plain).toString('base64')}`;
}

/** RFC 9110 §10.2.3: seconds or a date. */
function retryAfter(headers: Headers): number {
  const value = headers.get('retry-after') ?? '';
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? 0 : Math.min(Math.max(seconds, 0), MAX_RETRY_AFTER);
}

async function text({ body }: Response, signal: AbortSignal): Promise<string> {
  const reader = body?.getReader();
  const stop = () => reader?.cancel().catch(() => {});
  signal.addEventListener('abort', stop);
  try {
    const bytes = reader && (await collect(reader, MAX_ANSWER));
    signal.throwIfAborted();
    if (reader && bytes === undefined) throw new Refusal(`the answer is larger than ${MAX_ANSWER} bytes`);
    return new TextDecoder().decode(bytes);
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(failureInWords(error));
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** A body that nobody reads would keep its connection. */
async function discard({ body }: Response): Promise<void> {
  await body?.cancel().catch(() => {});
}

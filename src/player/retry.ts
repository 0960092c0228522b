/** Why nothing plays, in a word that does not change. */
export type Cause =
  /** The stream exists and delivers nothing (409). */
  | 'not-live'
  /** There is no such stream (404); it may be added. */
  | 'not-found'
  /** The server is full, closing or asked too often (429, 503). */
  | 'busy'
  /** A token is needed, or the one sent is wrong (401). */
  | 'unauthorized'
  | 'forbidden'
  /** The browser and the stream have no codec in common (406, 422). */
  | 'codec'
  /** Any other refusal that stays one. */
  | 'rejected'
  | 'server-error'
  /** No response to the request. */
  | 'unreachable'
  /** The connection broke off, or nothing arrived any more. */
  | 'lost'
  /** The server ended the session: the stream is over, or someone ended it. */
  | 'ended';

const CAUSES: Readonly<Record<number, Cause>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  406: 'codec',
  408: 'server-error',
  409: 'not-live',
  422: 'codec',
  429: 'busy',
  503: 'busy',
};
const LASTING: readonly Cause[] = ['unauthorized', 'forbidden', 'codec', 'rejected'];

/** What an HTTP status other than 201 means to a viewer. */
export function causeOf(status: number): Cause {
  return CAUSES[status] ?? (status >= 400 && status < 500 ? 'rejected' : 'server-error');
}

/** Seconds before the next attempt when the server names none: doubled each time, with a random part. */
const FIRST = 0.5;
const LONGEST = 15;

export interface Retry {
  seconds: number;
  /** The server asked for it: no sooner. */
  asked: boolean;
}

/** When to try again, given the value of Retry-After; undefined where that cannot help. */
export function retryOf(
  cause: Cause,
  retryAfter: string | null,
  attempt: number,
  random = Math.random,
): Retry | undefined {
  if (LASTING.includes(cause)) return undefined;
  const asked = Number(retryAfter ?? Number.NaN);
  if (asked >= 0 && asked <= 300) return { seconds: asked + random(), asked: true };
  return { seconds: Math.min(FIRST * 2 ** attempt, LONGEST) * (0.75 + random() / 2), asked: false };
}

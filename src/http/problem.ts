import type { Failure, FailureCode } from '../errors.ts';
import { prefers } from './message.ts';

/** The one place where failures become HTTP statuses. */
export const STATUSES: Readonly<Record<FailureCode, number>> = {
  'missing-stream-id': 400,
  'missing-resource-id': 400,
  unauthorized: 401,
  'invalid-token': 401,
  forbidden: 403,
  'rate-limited': 429,
  'unsupported-media-type': 415,
  'body-too-large': 413,
  'body-unreadable': 400,
  'bad-request': 400,
  'not-found': 404,
  'method-not-allowed': 405,
  misdirected: 421,
  'peer-cap': 503,
  'stream-peer-cap': 503,
  'setup-cap': 503,
  'stream-not-found': 404,
  'stream-not-live': 409,
  'stream-exists': 409,
  'resource-not-found': 404,
  'publisher-conflict': 409,
  'precondition-failed': 412,
  'precondition-required': 428,
  'invalid-sdp': 400,
  'invalid-offer': 400,
  'unsupported-offer': 422,
  'codec-mismatch': 406,
  'too-many-lines': 413,
  'too-many-m-lines': 413,
  'too-many-candidates': 413,
  'invalid-fragment': 400,
  'ice-restart-unsupported': 422,
  'answer-not-expected': 422,
  'invalid-answer': 500,
  'engine-timeout': 504,
  'engine-failed': 500,
  'engine-unavailable': 503,
  'address-in-use': 409,
  'ffmpeg-missing': 500,
  'invalid-options': 400,
  closing: 503,
};

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** RFC 6750 §3: no error code when no credentials were sent. */
const CHALLENGES: Readonly<Partial<Record<FailureCode, string>>> = {
  unauthorized: 'Bearer',
  'invalid-token': 'Bearer error="invalid_token"',
  forbidden: 'Bearer error="insufficient_scope"',
};

export interface ProblemTerms {
  /** The request's Accept. */
  accept: string | null;
  /** What a codec mismatch is answered with. */
  codecMismatch: number;
  headers?: Readonly<Record<string, string>> | undefined;
}

/** Plain text, or problem details (RFC 9457) for who prefers them. */
export function problem(failure: Failure, terms: ProblemTerms): Response {
  const status = failure.code === 'codec-mismatch' ? terms.codecMismatch : STATUSES[failure.code];
  const headers = new Headers({ ...terms.headers, 'Cache-Control': 'no-store' });
  const challenge = CHALLENGES[failure.code];
  if (challenge !== undefined) headers.set('WWW-Authenticate', challenge);
  // A client that is slow or broken would hold its connection open, one that asks too often thousands of them. One that
  // sent too much is only heard out: a reset would overtake the answer.
  if (failure.code === 'body-unreadable' || failure.code === 'rate-limited') headers.set('Connection', 'close');
  if (failure.facts.retryAfter !== undefined) headers.set('Retry-After', String(failure.facts.retryAfter));
  if (!prefers(terms.accept, 'application/problem+json', 'text/plain')) {
    headers.set('Content-Type', 'text/plain; charset=utf-8');
    return new Response(failure.message, { status, headers });
  }
  headers.set('Content-Type', 'application/problem+json');
  const title = TITLES[status];
  return new Response(
    JSON.stringify({ type: 'about:blank', title, status, detail: failure.message, code: failure.code }),
    { status, headers },
  );
}

/** Says nothing: whatever went wrong is in the log, under the request's id. */
export function internalError(): Response {
  return new Response('internal error', { status: 500, headers: { 'Content-Type': 'text/plain; charset=utf-8' } });
}

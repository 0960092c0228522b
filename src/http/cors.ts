import { isLoopback } from '../loopback.ts';
import type { Settings } from '../options.ts';

const METHODS = 'POST, DELETE, PATCH, OPTIONS, GET, HEAD';
// A wildcard would not cover Authorization (Fetch §4.9).
const REQUEST_HEADERS = 'Content-Type, Authorization, If-Match, If-None-Match';
const RESPONSE_HEADERS = 'Location, ETag, Link, Retry-After, Accept-Post, Accept-Patch';
/** Seconds; a day. */
const MAX_AGE = '86400';

export function isPreflight(request: Request): boolean {
  return request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
}

/** Which pages may use what is answered: those of every origin, of these, or of this machine. */
export type Readers = '*' | 'local' | NonNullable<Settings['allowedOrigins']>;

/** Lets pages of other origins use what is answered, errors included. */
export function addCorsHeaders(headers: Headers, request: Request, readers: Readers): void {
  const origin = request.headers.get('origin');
  if (readers !== '*') headers.append('Vary', 'Origin');
  const allowed = allowedOrigin(origin, readers);
  if (allowed !== undefined) headers.set('Access-Control-Allow-Origin', allowed);
  headers.set('Access-Control-Allow-Methods', METHODS);
  headers.set('Access-Control-Allow-Headers', REQUEST_HEADERS);
  headers.set('Access-Control-Expose-Headers', RESPONSE_HEADERS);
  if (isPreflight(request)) headers.set('Access-Control-Max-Age', MAX_AGE);
}

function allowedOrigin(origin: string | null, readers: Readers): string | undefined {
  if (readers === '*') return '*';
  if (readers !== 'local') return readers.find((each) => each === origin);
  const local = origin === null || (URL.canParse(origin) && isLoopback(new URL(origin).hostname));
  return local ? '*' : undefined;
}

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

/** Lets pages of other origins, or of the allowed ones, use what is answered, errors included. */
export function addCorsHeaders(headers: Headers, request: Request, allowed: Settings['allowedOrigins']): void {
  const origin = request.headers.get('origin');
  if (allowed === undefined) {
    headers.set('Access-Control-Allow-Origin', '*');
  } else {
    headers.append('Vary', 'Origin');
    if (origin !== null && allowed.includes(origin)) headers.set('Access-Control-Allow-Origin', origin);
  }
  headers.set('Access-Control-Allow-Methods', METHODS);
  headers.set('Access-Control-Allow-Headers', REQUEST_HEADERS);
  headers.set('Access-Control-Expose-Headers', RESPONSE_HEADERS);
  if (isPreflight(request)) headers.set('Access-Control-Max-Age', MAX_AGE);
}

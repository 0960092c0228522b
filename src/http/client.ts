import { isIPv6 } from 'node:net';

/** Characters. Clients with longer keys, which may come from their own headers, count as one. */
const MAX_KEY = 256;
/** The client of those that the program gives no name that counts. */
const NAMELESS = '?';

/**
 * What tells the client of a request from others: `key(request)`, else the address that srvx and our own `serve` put on the
 * request. Empty when nobody tells: such clients count as one.
 */
export function clientOf(request: Request, key: ((request: Request) => string) | undefined): string {
  return key === undefined ? hostOf(addressOf(request)) : keyOf(key(request));
}

/** The address of the client, where the host tells; else empty. */
export function addressOf(request: Request): string {
  return 'ip' in request && typeof request.ip === 'string' ? request.ip : '';
}

/** A promise, say, would be a new client each time. */
function keyOf(key: unknown): string {
  if (typeof key !== 'string') throw new TypeError(`rateLimit.key gives a string, not ${typeof key}`);
  return key === '' || key.length > MAX_KEY ? NAMELESS : key;
}

/** RFC 4291 §2.5.4: an IPv6 host has the last 64 bits to itself, and as many addresses. */
function hostOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address;
  const [head = [], tail = []] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}

import { Failure } from '../errors.ts';
import { isLoopback } from '../loopback.ts';
import type { Settings } from '../options.ts';
import type { Access } from './access.ts';
import { addressOf } from './client.ts';

/**
 * Whether a request is for a server that is open to this machine by default rather than by decision. Any page that a browser
 * of the machine shows can send such requests, so only pages of the machine itself may read the answers.
 */
export function isLocal(request: Request, settings: Settings, access: Access): boolean {
  return settings.allowedOrigins === undefined && access.untouched && isLoopback(hostOf(request));
}

/**
 * A page of elsewhere whose host name has been made to resolve to this machine (DNS rebinding) would count as of the same
 * origin. Throws `misdirected`. Behind a proxy of this machine that passes the name on, the proxy has to be named.
 */
export function requireLocalName(request: Request, settings: Settings, access: Access): void {
  if (settings.allowedOrigins !== undefined || !access.untouched || 'proxied' in request) return;
  if (!isLoopback(addressOf(request)) || isLoopback(hostOf(request))) return;
  throw new Failure(
    'misdirected',
    'this server is open to its own machine, by the name localhost: for other names set tokens, open, allowedOrigins or trustedProxies',
  );
}

function hostOf(request: Request): string {
  return URL.canParse(request.url) ? new URL(request.url).hostname : '';
}

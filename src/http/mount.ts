import { Failure } from '../errors.ts';
import type { Settings } from '../options.ts';

/** Where a request came in. */
export interface Mounted {
  /** Below the base path, still percent-encoded; starts with a slash. */
  readonly path: string;
  /** The public path before it, without a slash at its end. */
  readonly prefix: string;
}

/**
 * A request's path below the base path; undefined outside it. Only one reading counts, or a rule of a proxy for one would be
 * passed by the other. Throws `bad-request` for a URL that is none (its host comes from a header).
 */
export function mountOf(request: Request, settings: Settings): Mounted | undefined {
  const path = pathOf(request);
  const { basePath, basePathStripped } = settings;
  const forwarded = settings.trustForwardedPrefix ? forwardedPrefix(request) : undefined;
  if (basePathStripped) return { path, prefix: forwarded ?? basePath };
  if (path !== basePath && !path.startsWith(`${basePath}/`)) return undefined;
  return { path: path.slice(basePath.length) || '/', prefix: `${forwarded ?? ''}${basePath}` };
}

function pathOf(request: Request): string {
  try {
    return new URL(request.url).pathname;
  } catch (cause) {
    throw new Failure('bad-request', 'the URL of the request is not valid: check its Host header', { cause });
  }
}

function forwardedPrefix(request: Request): string | undefined {
  const prefix = request.headers.get('x-forwarded-prefix')?.replace(/\/$/, '');
  return prefix !== undefined && /^(\/[A-Za-z0-9._~%@:-]+)*$/.test(prefix) ? prefix : undefined;
}

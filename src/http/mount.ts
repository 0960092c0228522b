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
 * The ways to read a request's path, the likelier first: with the base path in front, or, when a framework or proxy has
 * stripped it, without. Throws `bad-request` for a URL that is none (its host comes from a header).
 */
export function mounts(request: Request, settings: Settings): Mounted[] {
  const path = pathOf(request);
  const { basePath } = settings;
  const forwarded = settings.trustForwardedPrefix ? forwardedPrefix(request) : undefined;
  const found: Mounted[] = [];
  if (path === basePath || path.startsWith(`${basePath}/`)) {
    found.push({ path: path.slice(basePath.length) || '/', prefix: `${forwarded ?? ''}${basePath}` });
  }
  if (basePath !== '') found.push({ path, prefix: forwarded ?? basePath });
  return found;
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

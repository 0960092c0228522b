import { collect } from '../collect.ts';
import { Failure } from '../errors.ts';

const READ = 'it was read already: let no body parser take it before this handler does';

export interface BodyLimits {
  /** Bytes. */
  size: number;
  /** Seconds from now until the last byte. */
  seconds: number;
}

/**
 * The body as text. Never holds more than `size` bytes, whatever `Content-Length` says and however small the chunks.
 * Rejects with `body-too-large` or `body-unreadable`.
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<string> {
  // A cheap refusal only: the bytes are counted all the same.
  if (Number(request.headers.get('content-length')) > limits.size) throw tooLarge(limits.size);
  if (request.body === null) return '';
  if (request.bodyUsed || request.body.locked) throw unreadable(READ);
  const reader = request.body.getReader();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    reader.cancel().catch(() => {});
  }, limits.seconds * 1000).unref();
  try {
    const bytes = await collect(reader, limits.size);
    if (bytes === undefined) throw tooLarge(limits.size);
    if (late) throw unreadable(`it took longer than ${limits.seconds} s`);
    if (bytes.length === 0 && Number(request.headers.get('content-length')) > 0) throw unreadable(READ);
    // A byte order mark is no `v=`: it stays visible.
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (late) throw unreadable(`it took longer than ${limits.seconds} s`, error);
    throw unreadable(isUsed(error) ? READ : 'the connection failed', error);
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}

/** Media type without parameters, in lower case; undefined for a body that is compressed (we read none of those). */
export function contentType(request: Request): string | undefined {
  const encoding = request.headers.get('content-encoding')?.trim().toLowerCase();
  if (encoding && encoding !== 'identity') return undefined;
  return request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
}

/** Throws `unsupported-media-type`. */
export function requireType(request: Request, expected: string): void {
  if (contentType(request) !== expected) {
    throw new Failure('unsupported-media-type', `send Content-Type: ${expected}, and no Content-Encoding`);
  }
}

/** Whether `Accept` ranks the first type above the second (RFC 9110 §12.5.1). */
export function prefers(accept: string | null, first: string, second: string): boolean {
  return accept !== null && quality(accept, first) > quality(accept, second);
}

function quality(accept: string, type: string): number {
  const ranges = [type, `${type.split('/')[0]}/*`, '*/*'];
  let best = { rank: ranges.length, q: 0 };
  for (const part of accept.split(',')) {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const rank = ranges.indexOf(range);
    if (rank < 0 || rank >= best.rank) continue;
    const q = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1);
    best = { rank, q: q >= 0 && q <= 1 ? q : 0 };
  }
  return best.q;
}

/** Tells whether one of the entity tags of an If-Match is this one, by strong comparison (RFC 9110 §13.1.1). */
export function ifMatch(header: string, tag: string): boolean {
  // RFC 9110 §8.8.3: a tag may hold commas.
  const entries = header.match(/(?:W\/)?"[^"]*"|[^\s,]+/g) ?? [];
  // Clients quote the asterisk, as the examples of RFC 9725 do.
  return entries.some((entry) => ['*', '"*"', tag].includes(entry));
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers },
  });
}

/** What reading a body again comes to, in the words of runtimes and of srvx. */
function isUsed(error: unknown): boolean {
  return error instanceof TypeError && /already (been )?(read|used)|unusable|disturbed/i.test(error.message);
}

function tooLarge(limit: number): Failure {
  return new Failure('body-too-large', `read body: more than ${limit} bytes`);
}

function unreadable(reason: string, cause?: unknown): Failure {
  return new Failure('body-unreadable', `read body: ${reason}`, { cause });
}

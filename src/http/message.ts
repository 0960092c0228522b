import { Failure } from '../errors.ts';

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

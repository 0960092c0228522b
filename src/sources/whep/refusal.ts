interface RefusalFacts {
  /** Seconds; what the server asked for. */
  retryAfter?: number;
  /** It is to be expected now and then, and nothing that a server does wrong. */
  passing?: boolean;
  /** For the log alone: it may repeat what the other server wrote. */
  detail?: string;
}

/** The other server gave no session; `message` says why, for everybody's eyes: no secrets, nothing that the server wrote. */
export class Refusal extends Error {
  readonly retryAfter: number;
  readonly passing: boolean;
  readonly detail: string | undefined;

  constructor(message: string, { retryAfter = 0, passing = false, detail }: RefusalFacts = {}) {
    super(message);
    this.retryAfter = retryAfter;
    this.passing = passing;
    this.detail = detail;
  }
}

/**
 * What a status other than 201 means. Nothing that the other server wrote is repeated. `credentials`: some were sent;
 * `offer`: the response holds one.
 */
export function statusInWords(code: number, { credentials, offer }: { credentials: boolean; offer: boolean }): string {
  switch (code) {
    case 401:
      return credentials
        ? 'the other server refuses the credentials (401): give the right ones'
        : 'the other server wants credentials (401): give a token';
    case 403:
      return 'the other server forbids it (403): the credentials are not for this stream, or it lets nobody in';
    case 404:
      return 'the other server has no such stream (404): check the URL';
    case 406:
      return offer
        ? 'the other server wants to make the offer itself (406), which is not supported'
        : 'the other server accepts nothing of the offer (406): its stream is of no codec that is passed on here';
    case 409:
      return 'nothing is live there at present (409)';
    case 429:
    case 503:
      return `the other server is busy (${code})`;
    case 301:
    case 302:
    case 303:
      return `the other server redirects by ${code}, which a POST does not follow: give the URL it redirects to`;
    default:
      return `the other server answered ${code}, not 201`;
  }
}

/** Causes of a failed fetch, as Node, Bun and Deno tell them. */
const CAUSES: readonly [RegExp, string][] = [
  [/timeout|timed out|ETIMEDOUT/i, 'does not answer in time'],
  [/ECONNREFUSED|ConnectionRefused|Connection refused|Unable to connect/i, 'refuses the connection'],
  [/ENOTFOUND|EAI_AGAIN|DNSError|dns error|getaddrinfo/i, 'has a name that cannot be resolved'],
  [/cert|CERT|self.signed|UnknownIssuer|SSL|TLS/, 'has a certificate that is not trusted, or speaks no TLS'],
];

/** Why a fetch failed. */
export function failureInWords(error: unknown): string {
  const texts: string[] = [];
  for (let each = error; each instanceof Error && texts.length < 8; each = each.cause) {
    texts.push(each.name, 'code' in each ? String(each.code) : '', each.message);
  }
  const [, how] = CAUSES.find(([pattern]) => texts.some((text) => pattern.test(text))) ?? [];
  return `the other server ${how ?? 'cannot be reached'}`;
}

import { createHash, timingSafeEqual } from 'node:crypto';
import { Failure } from '../errors.ts';
import type { Action, Settings } from '../options.ts';
import { ask } from './hooks.ts';

/** Lets a request pass, or not. */
export class Gate {
  readonly #settings: Settings;
  readonly #digests: Readonly<Record<Action, Buffer | undefined>>;

  constructor(settings: Settings) {
    this.#settings = settings;
    const token = settings.token === undefined ? undefined : digest(settings.token);
    const admin = settings.adminToken === undefined ? undefined : digest(settings.adminToken);
    this.#digests = { watch: token, publish: token, admin };
  }

  /**
   * Undefined: go on. A `Response`: what the authorize hook wants sent instead. Rejects with `unauthorized`,
   * `invalid-token` or `forbidden`.
   */
  async check(request: Request, action: Action, stream: string | undefined): Promise<Response | undefined> {
    const expected = this.#digests[action];
    if (expected !== undefined) requireToken(request, expected);
    const { authorize } = this.#settings;
    if (authorize === undefined) return undefined;
    const verdict = await ask('authorize', () => authorize(request, { action, stream }));
    if (verdict instanceof Response) return writable(verdict);
    if (verdict === true) return undefined;
    if (request.headers.has('authorization')) throw new Failure('forbidden', 'not allowed with these credentials');
    throw new Failure('unauthorized', 'credentials are needed');
  }

  /** For those who hold an unguessable session URL: credentials are not needed, but wrong ones are refused. */
  async checkIfSent(request: Request, action: Action, stream: string): Promise<Response | undefined> {
    return request.headers.has('authorization') ? this.check(request, action, stream) : undefined;
  }

  /** Whether a request that is not refused either way has what `check` would ask for. */
  async allows(request: Request, action: Action, stream: string): Promise<boolean> {
    try {
      return (await this.check(request, action, stream)) === undefined;
    } catch (error) {
      if (error instanceof Failure) return false;
      throw error;
    }
  }
}

/** A copy whose headers can be added to. Throws for one that cannot be sent: it was read, or is `Response.error()`. */
function writable(response: Response): Response {
  if (response.status < 200) throw new RangeError(`the authorize hook gave a Response of status ${response.status}`);
  return new Response(response.body, response);
}

function requireToken(request: Request, expected: Buffer): void {
  const header = request.headers.get('authorization');
  if (header === null) throw new Failure('unauthorized', 'a bearer token is needed');
  const token = /^bearer +(\S+) *$/i.exec(header)?.[1];
  // Digests have one length, and equal ones tell nothing about how much of a wrong token was right.
  if (token === undefined || !timingSafeEqual(digest(token), expected)) {
    throw new Failure('invalid-token', 'the bearer token is wrong');
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

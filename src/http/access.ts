import { createHash, timingSafeEqual } from 'node:crypto';
import { type AccessOptions, type Action, isClosed, isUntouched, type Rule, rulesOf, type Tokens } from '../access.ts';
import { Failure } from '../errors.ts';
import { ask } from './hooks.ts';

/** Lets a request pass, or not. */
export class Access {
  /** Nobody has decided anything: all but administration is open by default. */
  untouched: boolean;
  readonly #options: AccessOptions;
  #rules: Readonly<Record<Action, Rule>>;

  constructor(options: AccessOptions) {
    this.untouched = isUntouched(options);
    this.#options = options;
    this.#rules = rulesOf(options);
  }

  /** Other tokens from the next request on. With one that is absent an action is closed: nothing opens by it. */
  renew({ token, publishToken, observeToken, adminToken }: Tokens): void {
    this.#rules = rulesOf({ ...this.#options, token, publishToken, observeToken, adminToken }, false);
    this.untouched = false;
  }

  closed(action: Action): boolean {
    return isClosed(this.#rules[action]);
  }

  open(action: Action): boolean {
    return this.#rules[action].open;
  }

  /**
   * Undefined: go on. A `Response`: what the authorize hook wants sent instead. Rejects with `unauthorized`,
   * `invalid-token` or `forbidden`.
   */
  async check(request: Request, action: Action, stream: string | undefined): Promise<Response | undefined> {
    const { tokens, hook, open } = this.#rules[action];
    if (open) return undefined;
    if (tokens.length > 0) requireToken(request, tokens);
    if (hook === undefined && tokens.length > 0) return undefined;
    const verdict = hook !== undefined && (await ask('authorize', () => hook(request, { action, stream })));
    if (verdict instanceof Response) return writable(verdict);
    if (verdict === true) return undefined;
    if (request.headers.has('authorization')) throw new Failure('forbidden', 'not allowed with these credentials');
    throw new Failure('unauthorized', 'credentials are needed');
  }

  /** For those who hold an unguessable session URL: credentials are not needed, but wrong ones are refused. */
  async checkIfSent(request: Request, action: Action, stream: string): Promise<Response | undefined> {
    return request.headers.has('authorization') ? this.check(request, action, stream) : undefined;
  }

  /** Whether a token or a hook speaks for a request: who may because everybody may proves nothing. */
  async proves(request: Request, action: Action, stream: string): Promise<boolean> {
    if (this.open(action)) return false;
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

function requireToken(request: Request, expected: readonly string[]): void {
  const header = request.headers.get('authorization');
  if (header === null) throw new Failure('unauthorized', 'a bearer token is needed');
  const token = /^bearer +(\S+) *$/i.exec(header)?.[1];
  // Digests have one length, and equal ones tell nothing about how much of a wrong token was right.
  if (token === undefined || !expected.some((each) => timingSafeEqual(digest(token), digest(each)))) {
    throw new Failure('invalid-token', 'the bearer token is wrong');
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

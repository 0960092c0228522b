// Who may do what. Pure: the tokens are compared, and the hooks asked, in `http/access.ts`.

/** `observe` is to look at the whole: index, statistics, metrics, OpenAPI. */
export const ACTIONS = ['watch', 'publish', 'observe', 'admin'] as const;
export type Action = (typeof ACTIONS)[number];

type Verdict = boolean | Response | Promise<boolean | Response>;

/**
 * Decides on a request, before its body is read (leave the body alone). True lets it in. False refuses it: 401 when it
 * carried no `Authorization`, else 403. A `Response` is sent as it is, with the CORS headers added.
 */
export type Authorize = (request: Request, facts: { action: Action; stream: string | undefined }) => Verdict;

/** A bearer token for each action. */
export interface Tokens {
  token?: string | undefined;
  publishToken?: string | undefined;
  observeToken?: string | undefined;
  adminToken?: string | undefined;
}

/** The options that decide who may do what. */
export interface AccessOptions extends Tokens {
  open?: readonly Exclude<Action, 'admin'>[] | undefined;
  authorize?: Authorize | Readonly<Partial<Record<Action, Authorize>>> | undefined;
}

/** What an action asks of a request: one of the tokens, then the hook. With neither it is open to everybody, or to nobody. */
export interface Rule {
  readonly tokens: readonly string[];
  readonly hook: Authorize | undefined;
  readonly open: boolean;
}

/** The option that holds the token of an action. */
export const TOKEN_OPTIONS = {
  watch: 'token',
  publish: 'publishToken',
  observe: 'observeToken',
  admin: 'adminToken',
} as const satisfies Record<Action, keyof Tokens>;

/**
 * The rule of each action. As soon as one is named by a token, by a hook or as open, the others are closed, so that nothing
 * is open by oversight. Administration never is.
 */
export function rulesOf(options: AccessOptions, untouched = isUntouched(options)): Readonly<Record<Action, Rule>> {
  const rule = (action: Action): Rule => {
    const tokens = tokensOf(action, options);
    const hook = hookOf(action, options);
    const said = action !== 'admin' && (untouched || options.open?.includes(action) === true);
    return { tokens, hook, open: said && tokens.length === 0 && hook === undefined };
  };
  return { watch: rule('watch'), publish: rule('publish'), observe: rule('observe'), admin: rule('admin') };
}

/** Nobody has decided anything: all but administration is open by default. */
export function isUntouched(options: AccessOptions): boolean {
  const named = [options.authorize, options.open, ...Object.values(TOKEN_OPTIONS).map((name) => options[name])];
  return named.every((value) => value === undefined);
}

/** Nobody may, whatever he brings. */
export function isClosed({ tokens, hook, open }: Rule): boolean {
  return !open && tokens.length === 0 && hook === undefined;
}

/** Who administers sees more than who observes: that token opens both, unless a hook alone decides on observers. */
function tokensOf(action: Action, options: AccessOptions): string[] {
  const own = options[TOKEN_OPTIONS[action]];
  const { adminToken, open } = options;
  if (action !== 'observe' || open?.includes('observe')) return [own].filter((token) => token !== undefined);
  const decided = own !== undefined || hookOf(action, options) === undefined;
  return [own, decided ? adminToken : undefined].filter((token) => token !== undefined);
}

/** One function for all was hardly written with administration in mind: that needs the admin token as well, or its own hook. */
function hookOf(action: Action, { authorize, adminToken }: AccessOptions): Authorize | undefined {
  if (typeof authorize !== 'function') return authorize?.[action];
  return action === 'admin' && adminToken === undefined ? undefined : authorize;
}

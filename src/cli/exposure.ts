import { ACTIONS, type Action, isClosed, isUntouched, type Rule, rulesOf } from '../access.ts';
import { isLoopback } from '../loopback.ts';
import { type Configuration, isReached } from './configuration.ts';
import { type Check, ok, warning } from './doctor/check.ts';
import { TOKENS } from './tokens.ts';

/** Who may do what, and what an operator should know of that. */
export function accessChecks(configuration: Configuration): Check[] {
  const { host, trustedProxies, settings } = configuration;
  const rules = rulesOf(settings);
  const behind = isLoopback(host) ? 'the proxy' : host;
  const reached = isReached(configuration);
  const checks = [access(configuration, rules, reached ? behind : undefined), ...closedChecks(settings, rules)];
  if (!isLoopback(host) && trustedProxies.length === 0 && configuration.tls === undefined && hasTokens(rules)) {
    checks.push(
      warning(
        'tokens',
        `tokens reach ${host} unencrypted`,
        'give --tls-cert and --tls-key, or let a proxy speak https',
      ),
    );
  }
  if (reached && settings.rateLimit === undefined) {
    const cure = 'give a rateLimit in a config file, such as { "perSecond": 10 }';
    checks.push(warning('rate limit', `whoever reaches ${behind} may send as many requests as he likes`, cure));
  }
  return checks;
}

function access({ settings }: Configuration, rules: Rules, reached: string | undefined): Check {
  if (isUntouched(settings)) {
    const all = 'may watch, publish and observe';
    if (reached === undefined) return ok('access', `whoever is on this machine ${all}, and nobody else`);
    const cure = 'give tokens (--token, --publish-token, --observe-token), or say what is meant to be open (--open)';
    return warning('access', `whoever reaches ${reached} ${all}`, cure);
  }
  return ok('access', ACTIONS.map((action) => `${action}: ${who(action, rules[action])}`).join('; '));
}

type Rules = Readonly<Record<Action, Rule>>;

function who(action: Action, rule: Rule): string {
  if (rule.open) return 'everybody';
  return isClosed(rule) ? `nobody (${opening(action)})` : 'with a token';
}

/** What was closed because something else was named, and is needed. */
function closedChecks({ streams }: Configuration['settings'], rules: Rules): Check[] {
  const published = Object.entries(streams).flatMap(([id, source]) => ('whip' in source ? [id] : []));
  const checks: Check[] = [];
  if (isClosed(rules.watch)) checks.push(warning('watching', 'nobody may watch', `give ${opening('watch')}`));
  if (isClosed(rules.publish) && published.length > 0) {
    checks.push(warning('publishing', `nobody may publish ${published.join(', ')}`, `give ${opening('publish')}`));
  }
  return checks;
}

function hasTokens(rules: Rules): boolean {
  return ACTIONS.some((action) => rules[action].tokens.length > 0);
}

/** The options that let somebody do it. */
function opening(action: Action): string {
  const flags = TOKENS.filter((token) => token.action === action).map(({ flag }) => `--${flag}`);
  return [...flags, ...(action === 'admin' ? [] : [`--open ${action}`])].join(' or ');
}

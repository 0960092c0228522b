import { isIPv6 } from 'node:net';
import { isLoopback } from '../../loopback.ts';
import { type Configuration, isReached } from '../configuration.ts';
import { type Check, ok, warning } from './check.ts';

/** The addresses in an answer, by which viewers are to reach the media. */
export function candidateCheck(answer: string, configuration: Configuration): Check {
  const { settings } = configuration;
  const name = 'candidates';
  // RFC 8839 §5.1: foundation, component, transport, priority, address, port.
  const found = [...answer.matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+) (\d+) /gm)].map(
    ([, address = '', port = '']) => {
      return { address, port };
    },
  );
  const list = found.map(({ address, port }) => (isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`));
  const text = list.join(', ') || 'none';
  if (!isReached(configuration)) return ok(name, `${text} (this machine alone, as --host says)`);
  if (found.every(({ address }) => isLoopback(address))) {
    return warning(
      name,
      `${text}: nobody else can reach them`,
      'leave --media-host out, or give an address others reach',
    );
  }
  if (settings.announce.length === 0 && found.every(({ address }) => isLoopback(address) || isPrivate(address))) {
    return warning(
      name,
      `${text}: private addresses alone`,
      'for viewers outside this network: --announce PUBLIC-ADDRESS',
    );
  }
  return ok(name, text);
}

/** RFC 1918, RFC 3927, RFC 6598; RFC 4193, RFC 4291 §2.5.6. */
function isPrivate(address: string): boolean {
  return isIPv6(address)
    ? /^(f[cd]|fe[89ab])/i.test(address)
    : /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(address);
}

import { isLoopback } from '../loopback.ts';
import type { Configuration } from './configuration.ts';

/** What an operator should know of a server that others can reach; undefined when there is nothing to say. */
export function exposure({ host, tls, settings }: Configuration): string | undefined {
  if (isLoopback(host)) return undefined;
  if (settings.token === undefined) {
    const published = Object.entries(settings.streams).flatMap(([id, source]) => ('whip' in source ? [id] : []));
    const publish = published.length > 0 ? `, and publish ${published.join(', ')}` : '';
    return `whoever reaches ${host} may watch${publish}: give a token (--token or FETCH_WHEP_TOKEN) unless that is meant`;
  }
  if (tls === undefined) {
    return `the token reaches ${host} unencrypted: give --tls-cert and --tls-key, or let a proxy speak https`;
  }
  return undefined;
}

import type { Action } from '../access.ts';
import type { Hub } from '../hub.ts';
import type { Metrics } from '../metrics.ts';
import type { Settings } from '../options.ts';
import type { Access } from './access.ts';
import type { Bodies } from './body.ts';
import type { EventStreams } from './events.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

/** One request on its way through the router. */
export interface Exchange {
  readonly request: Request;
  /** Path prefix that the client used, without a slash at its end: what every link starts with. */
  readonly prefix: string;
  /** Ids in the path, decoded and checked; absent ones are empty. */
  readonly params: Params;
  readonly query: URLSearchParams;
  /** What tells its client from others; see `clientOf`. */
  readonly client: string;
  /** The `stream` label of its metrics; stays empty for unknown streams and until the request was authorized. */
  stream: string;
}

export interface Params {
  /** Of the stream. */
  readonly id: string;
  /** Of the session. */
  readonly resource: string;
  readonly events: string;
}

export type Handler = (exchange: Exchange) => Response | Promise<Response>;
export type Methods = Readonly<Partial<Record<Method, Handler>>>;

/** A path and what it answers to. */
export interface Route {
  /** Label of its metrics. */
  readonly name: string;
  /** With `:id` and so on for each id. */
  readonly path: string;
  readonly methods: Methods;
  /** What who asks must be allowed, where its handlers do not ask themselves. */
  readonly action?: Action;
  /** What it answers to when a slash follows the last id; not in `Allow`. */
  readonly slashed?: Methods;
  /** What a request of a wrong type is told to send (RFC 9110 §15.5.16, RFC 5789 §3.1). */
  readonly accepts?: Readonly<Record<string, string>>;
}

/** What handlers work with. */
export interface Services {
  readonly hub: Hub;
  readonly settings: Settings;
  readonly metrics: Metrics;
  readonly access: Access;
  readonly bodies: Bodies;
  readonly events: EventStreams;
}

export function allowed(methods: Methods): string {
  const names = Object.keys(methods);
  return (methods.GET && !methods.HEAD ? [...names, 'HEAD'] : names).join(', ');
}

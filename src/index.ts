import { getLogger } from '@logtape/logtape';
import { openEngine } from './engine/open.ts';
import { Access } from './http/access.ts';
import { Bodies } from './http/body.ts';
import { EventStreams } from './http/events.ts';
import { statsOf } from './http/observe.ts';
import { createRouter } from './http/router.ts';
import { Hub } from './hub.ts';
import { Metrics } from './metrics.ts';
import { parseOptions, parseTokens, type ServerOptions } from './options.ts';
import { type Server, Sessions, Streams } from './server.ts';

const log = getLogger(['fetch-whep', 'hub']);

export type { Action, Authorize, Tokens } from './access.ts';
export type * from './engine/port.ts';
export { Failure, type FailureCode } from './errors.ts';
export {
  type IceServer,
  OPTION_NAMES,
  parseOptions,
  type ServerOptions,
  type Settings,
} from './options.ts';
export type { Server, SessionInfo, Sessions, StreamInfo, Streams } from './server.ts';
export type { Pull, Puller, Source, SourceKind } from './sources/source.ts';
export type { AdminSource, SourceInput } from './sources/spec.ts';

/**
 * Creates a WHEP server: a function `fetch(Request): Promise<Response>` to mount wherever requests come from.
 *
 * ```ts
 * const server = await createServer({ streams: { cam1: 'rtp:5004,5006' } });
 * Bun.serve({ fetch: server.fetch });
 * ```
 *
 * Rejects with a `Failure` when an option is wrong (`invalid-options`), the engine cannot be loaded
 * (`engine-unavailable`) or a stream cannot start (`address-in-use`, `ffmpeg-missing`); nothing is left running then.
 */
export async function createServer(options: ServerOptions = {}): Promise<Server> {
  const settings = parseOptions(options);
  const engine = await openEngine(settings);
  const metrics = new Metrics(settings);
  const hub = new Hub(engine, settings, metrics);
  const access = new Access(settings);
  const fetch = createRouter({
    hub,
    settings,
    metrics,
    access,
    bodies: new Bodies(settings.bodyTimeoutSeconds),
    events: new EventStreams(hub),
  });
  const streams = new Streams(hub, settings);
  try {
    await Promise.all(Object.entries(settings.streams).map(([id, source]) => streams.add(id, source)));
  } catch (error) {
    await hub.close().catch((also: unknown) => log.error('{error}', { error: also }));
    throw error;
  }
  return {
    fetch,
    streams,
    sessions: new Sessions(hub),
    snapshot: () => statsOf(hub.snapshot()),
    metrics: () => metrics.text(hub.snapshot()),
    renewTokens: (tokens) => access.renew(parseTokens(tokens)),
    close: () => hub.close(),
  };
}

import { getLogger } from '@logtape/logtape';
import { openEngine } from './engine/open.ts';
import { Gate } from './http/auth.ts';
import { EventStreams } from './http/events.ts';
import { statsOf } from './http/observe.ts';
import { RateLimiter } from './http/rate.ts';
import { createRouter } from './http/router.ts';
import { Hub } from './hub.ts';
import { Metrics } from './metrics.ts';
import { parseOptions, type ServerOptions } from './options.ts';
import { type Server, Sessions, Streams } from './server.ts';

const log = getLogger(['fetch-whep', 'hub']);

export type * from './engine/port.ts';
export { Failure, type FailureCode } from './errors.ts';
export {
  type Action,
  type Authorize,
  type IceServer,
  OPTION_NAMES,
  parseOptions,
  type ServerOptions,
  type Settings,
} from './options.ts';
export type { Server, SessionInfo, Sessions, StreamInfo, Streams } from './server.ts';
export type { Pull, Puller, Source, SourceKind } from './sources/source.ts';
export type { SourceInput } from './sources/spec.ts';

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
  const fetch = createRouter({
    hub,
    settings,
    metrics,
    gate: new Gate(settings),
    rate: new RateLimiter(settings.rateLimit),
    events: new EventStreams(hub),
  });
  const streams = new Streams(hub);
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
    close: () => hub.close(),
  };
}

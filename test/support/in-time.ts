import { createServer, type Server, type ServerOptions } from '../../src/index.ts';
import { Clock } from './clock.ts';
import { Client } from './contract/client.ts';
import { FakeEngine } from './fake-engine.ts';

/** A server, its engine, and a clock that stands still until it is told. */
export interface World {
  clock: Clock;
  engine: FakeEngine;
  server: Server;
  client: Client;
  viewers(): number;
  state(stream?: string): string | undefined;
}

/** What a test does in time of its own, with a server of its own. */
export function inTime(options: ServerOptions, run: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    const clock = new Clock();
    try {
      const engine = new FakeEngine();
      const server = await createServer({ engine, streams: { live: 'clip' }, ...options });
      await run({
        clock,
        engine,
        server,
        client: new Client({ ...server, engine }),
        viewers: () => [...server.sessions].length,
        state: (stream = 'live') => server.streams.get(stream)?.state,
      });
      await server.close();
    } finally {
      clock.restore();
    }
  };
}

import { createServer, type Server, type ServerOptions } from '../../src/index.ts';
import { eventually } from './eventually.ts';
import { FakeEngine, type Script } from './fake-engine.ts';
import { Origin } from './origin.ts';

/** A server that pulls. */
export interface Edge {
  server: Server;
  engine: FakeEngine;
  /** How it is doing. */
  pull(): NonNullable<ReturnType<Server['snapshot']>['streams'][string]['pull']>;
}

export type SourceOptions = NonNullable<ServerOptions['streams']>[string];

/** Runs a server that pulls `source` as its stream `relay`. */
export async function pulling(
  source: SourceOptions,
  use: (edge: Edge) => Promise<unknown>,
  script: Script = {},
): Promise<void> {
  const engine = new FakeEngine(script);
  const server = await createServer({ engine, streams: { relay: source } });
  const pull = () => {
    const found = server.snapshot().streams.relay?.pull;
    if (found === undefined) throw new Error('the stream is not pulled');
    return found;
  };
  try {
    await use({ server, engine, pull });
  } finally {
    await server.close();
  }
}

/** Runs a server to pull from. */
export async function withOrigin(use: (origin: Origin) => Promise<void>, options: ServerOptions = {}): Promise<void> {
  const origin = await Origin.start(options);
  try {
    await use(origin);
  } finally {
    await origin.close();
  }
}

export function playing({ pull }: Edge): Promise<true> {
  return eventually('the state playing', () => pull().state === 'playing');
}

export function failing({ pull }: Edge, why: RegExp): Promise<true> {
  return eventually(`the reason ${why}, not ${pull().last_error}`, () => why.test(pull().last_error ?? ''));
}

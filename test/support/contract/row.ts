import type { ServerOptions } from '../../../src/index.ts';
import type { Client } from './client.ts';

/**
 * What a row needs beyond a server and its options. `script`: an engine that does what the row says. `hook`: options
 * with a function, which cannot travel to another process. `publish`: an engine that takes WHIP publishers.
 */
export type Need = 'script' | 'hook' | 'publish';

/** One sentence of the contract. */
export interface Row {
  name: string;
  options?: ServerOptions;
  needs?: Need;
  run(client: Client): Promise<void>;
}

/** Streams of every server of the contract: one that plays, one that is silent, one for publishers, one without audio. */
export const STREAMS: NonNullable<ServerOptions['streams']> = {
  live: 'clip',
  idle: 'rtp:0,0',
  pub: 'whip',
};

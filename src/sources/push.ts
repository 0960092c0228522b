import type { LegKind } from '../engine/port.ts';
import type { Source } from './source.ts';

/** Frames that the program itself hands over with `server.streams.push`. */
export function pushSource(legs: readonly LegKind[]): Source {
  return {
    kind: 'push',
    ingress: { kind: 'push', legs: [...legs] },
    start: async () => {},
    stop: async () => {},
    describe: () => 'push',
  };
}

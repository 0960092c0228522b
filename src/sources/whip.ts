import type { LegKind } from '../engine/port.ts';
import type { Source } from './source.ts';

/** A WHIP publisher (RFC 9725): the stream waits for one to POST its offer. */
export function whipSource(legs: readonly LegKind[]): Source {
  return {
    kind: 'whip',
    ingress: { kind: 'publisher', legs: [...legs] },
    start: async () => {},
    stop: async () => {},
    describe: () => 'whip',
  };
}

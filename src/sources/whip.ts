import type { LegKind } from '../engine/port.ts';
import type { Source } from './source.ts';

export interface WhipSpec {
  legs: readonly LegKind[];
  takeover: boolean;
}

/** A WHIP publisher (RFC 9725): the stream waits for one to POST its offer. */
export function whipSource({ legs, takeover }: WhipSpec): Source {
  return {
    kind: 'whip',
    ingress: { kind: 'publisher', legs: [...legs] },
    takeover,
    start: async () => {},
    stop: async () => {},
    describe: () => 'whip',
  };
}

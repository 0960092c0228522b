import type { Codec } from '../engine/codecs.ts';
import type { LegKind } from '../engine/port.ts';
import type { Source } from './source.ts';

export interface WhipSpec {
  legs: readonly LegKind[];
  takeover: boolean;
  /** In our order of preference; absent: all that publishers send by themselves. */
  codecs?: readonly Codec[] | undefined;
}

/** A WHIP publisher (RFC 9725): the stream waits for one to POST its offer. */
export function whipSource({ legs, takeover, codecs }: WhipSpec): Source {
  return {
    kind: 'whip',
    ingress: { kind: 'publisher', legs: [...legs] },
    takeover,
    ...(codecs && { codecs }),
    start: async () => {},
    stop: async () => {},
    describe: () => 'whip',
  };
}

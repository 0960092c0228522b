import type { StreamPorts } from '../engine/port.ts';
import { masked } from './ffmpeg/mask.ts';
import type { Puller, Source } from './source.ts';
import { Link } from './whep/link.ts';
import type { WhepSpec } from './whep/spec.ts';

/**
 * A stream of another WHEP server, of whatever make: this server is its viewer, and sends on what it gets. `outside`: see
 * `createSource`.
 */
export function whepSource(spec: WhepSpec, outside = false): Source {
  const description = `whep:${masked(spec.url)}`;
  let puller: Puller | undefined;
  let link: Link | undefined;

  async function start(stream: string, _ports: StreamPorts): Promise<void> {
    if (puller === undefined) throw new TypeError('pullWith comes before start');
    link = new Link(stream, spec, puller, outside);
    link.start();
  }

  return {
    kind: 'whep',
    ingress: { kind: 'pull', legs: [...spec.legs] },
    pullWith: (given) => {
      puller = given;
    },
    start,
    stop: async () => link?.stop(),
    describe: () => description,
    report: () => (link === undefined ? {} : { pull: link.report }),
  };
}

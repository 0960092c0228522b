import { CONFORMANCE } from '../conformance.ts';
import { PATH_HEADER } from '../sources/whep/path.ts';
import type { Protocol } from './endpoint.ts';
import type { Services } from './exchange.ts';

const EVENTS = 'urn:ietf:params:whep:ext:core:server-sent-events';

/** draft-ietf-wish-whep-04, or the classic contract where `conformance` says so. */
export function whep({ hub, settings, events }: Services): Protocol {
  const { completeAnswer, deleted, unknownDeleted } = CONFORMANCE[settings.conformance];
  return {
    name: 'whep',
    kind: 'viewer',
    action: 'watch',
    admit: ({ request, params, client }) => hub.admitViewer(params.id, { client, signal: request.signal }),
    join: ({ request, params, query, client }, offer) =>
      hub.watch(params.id, offer, {
        complete: completeAnswer,
        lowLatency: query.get('latency') === 'low',
        client,
        signal: request.signal,
      }),
    extensions: (session) => [`<${session}/events>; rel="${EVENTS}"; events="${events.names.join(',')}"`],
    // For a server that pulls: its own stream among them means a loop.
    headers: (stream) => ({ [PATH_HEADER]: hub.streams.path(stream).join(', ') }),
    deleted,
    unknownDeleted,
    knowsAnswers: true,
  };
}

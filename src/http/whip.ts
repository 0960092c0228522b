import type { Protocol } from './endpoint.ts';
import type { Services } from './exchange.ts';

/** RFC 9725; one rule, whatever viewers get. */
export function whip({ hub }: Services): Protocol {
  return {
    name: 'whip',
    kind: 'publisher',
    action: 'publish',
    admit: ({ params }) => hub.admitPublisher(params.id),
    join: ({ request, params }, offer) => hub.publish(params.id, offer, request.signal),
    extensions: () => [],
    headers: () => ({}),
    deleted: 200,
    unknownDeleted: 404,
    // §4.3.1: there is no counter-offer in WHIP.
    knowsAnswers: false,
  };
}

import { CONFORMANCE } from '../conformance.ts';
import { Failure } from '../errors.ts';
import { capabilities, type Protocol } from './endpoint.ts';
import { allowed, type Exchange, type Methods, type Route, type Services } from './exchange.ts';
import { contentType, ifMatch, requireType } from './message.ts';

const FRAGMENT = 'application/trickle-ice-sdpfrag';
/** Bytes. */
const MAX_FRAGMENT = 16 * 1024;

/** The session that a 201 named: trickle and leave. */
export function sessionRoute(services: Services, protocol: Protocol): Route {
  const methods: Methods = {
    GET: () => new Response(null, { status: 204 }),
    PATCH: (exchange) => trickle(services, protocol, exchange),
    DELETE: (exchange) => leave(services, protocol, exchange),
    OPTIONS: (exchange) => capabilities(services, protocol, exchange, { ...accepts, Allow: allowed(methods) }),
  };
  const accepts = { 'Accept-Patch': FRAGMENT };
  const path = `/${protocol.name}/:id/:resource`;
  return { name: `${protocol.name}-session`, path, methods, accepts };
}

async function trickle(services: Services, protocol: Protocol, exchange: Exchange): Promise<Response> {
  const { hub, access, bodies, settings } = services;
  const { request, params } = exchange;
  const session = () => hub.require(protocol.kind, params.id, params.resource);
  session();
  const refusal = await access.checkIfSent(request, protocol.action, params.id);
  if (refusal) return refusal;
  exchange.stream = params.id;
  if (protocol.knowsAnswers && contentType(request) === 'application/sdp') {
    throw new Failure('answer-not-expected', 'webrtc: the session has its answer already');
  }
  requireType(request, FRAGMENT);
  const body = await bodies.read(request, MAX_FRAGMENT);
  // While the body came in, the session may have ended.
  await hub.trickle(session(), body, (tag) => {
    const header = request.headers.get('if-match');
    if (header !== null && !ifMatch(header, tag)) {
      throw new Failure('precondition-failed', 'webrtc: If-Match names another ICE session');
    }
    if (header === null && CONFORMANCE[settings.conformance].ifMatchRequired) {
      throw new Failure('precondition-required', 'webrtc: send If-Match with the ETag of the 201');
    }
  });
  return new Response(null, { status: 204 });
}

/** If-Match is ignored here (draft-ietf-wish-whep-04 §4.5.1). */
async function leave({ hub, access }: Services, protocol: Protocol, exchange: Exchange): Promise<Response> {
  const { request, params } = exchange;
  const { kind, unknownDeleted } = protocol;
  const find = () =>
    unknownDeleted === 204 ? hub.find(kind, params.id, params.resource) : hub.require(kind, params.id, params.resource);
  // Nothing is said about credentials that come with a guessed session.
  const refusal = find() && (await access.checkIfSent(request, protocol.action, params.id));
  if (refusal) return refusal;
  const session = find();
  if (session === undefined) return new Response(null, { status: 204 });
  exchange.stream = session.stream;
  await hub.leave(session);
  return new Response(null, { status: protocol.deleted });
}

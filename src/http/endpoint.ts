import type { Action } from '../access.ts';
import { Failure } from '../errors.ts';
import type { Joined } from '../lifecycle.ts';
import { entityTag, type SessionKind } from '../sessions.ts';
import { isPreflight } from './cors.ts';
import { allowed, type Exchange, type Methods, type Route, type Services } from './exchange.ts';
import { iceLinks } from './ice.ts';
import { requireType } from './message.ts';

/** In what WHEP and WHIP differ. */
export interface Protocol {
  readonly name: 'whep' | 'whip';
  readonly kind: SessionKind;
  readonly action: Action;
  /** Refuses what can be refused before the body is read. */
  admit(exchange: Exchange): void | Promise<void>;
  join(exchange: Exchange, offer: string): Promise<Joined>;
  /** Link values of the extensions of a session, given its URL. */
  extensions(session: string): string[];
  /** Further headers of a 201 for a stream. */
  headers(stream: string): Record<string, string>;
  readonly deleted: number;
  readonly unknownDeleted: 204 | 404;
  /** An SDP answer by PATCH: a media type that has a meaning here, or not. */
  readonly knowsAnswers: boolean;
}

const SDP = 'application/sdp';
/** Bytes. */
const MAX_OFFER = 32 * 1024;

/** Where clients POST their offers. */
export function endpointRoute(services: Services, protocol: Protocol): Route {
  const methods: Methods = {
    GET: () => discovery(),
    POST: (exchange) => join(services, protocol, exchange),
    OPTIONS: (exchange) => capabilities(services, protocol, exchange, { ...accepts, Allow: allowed(methods) }),
  };
  const slashed = { ...methods, DELETE: missingResource, PATCH: missingResource };
  const accepts = { 'Accept-Post': SDP };
  return { name: protocol.name, path: `/${protocol.name}/:id`, methods, slashed, accepts };
}

/** OPTIONS: no credential of a TURN server leaves for who has shown none himself (RFC 9725 §4.6); a preflight cannot. */
export async function capabilities(
  { access, settings }: Services,
  { action }: Protocol,
  { request, params }: Exchange,
  headers: Record<string, string>,
): Promise<Response> {
  const response = new Response(null, { status: 204, headers });
  if (isPreflight(request)) return response;
  const proven = await access.proves(request, action, params.id);
  if (proven || access.open(action)) addLinks(response.headers, await iceLinks(request, settings, proven));
  return response;
}

async function join(services: Services, protocol: Protocol, exchange: Exchange): Promise<Response> {
  const { hub, access, bodies, settings } = services;
  const { request, params } = exchange;
  const refusal = await access.check(request, protocol.action, params.id);
  if (refusal) return refusal;
  if (hub.streams.get(params.id)) exchange.stream = params.id;
  await protocol.admit(exchange);
  requireType(request, SDP);
  const offer = await bodies.read(request, MAX_OFFER);
  const links = await iceLinks(request, settings, true);
  const { session, answer } = await protocol.join(exchange, offer);
  const url = `${exchange.prefix}/${protocol.name}/${session.stream}/${session.id}`;
  const response = new Response(answer, {
    status: 201,
    headers: {
      'Content-Type': SDP,
      // There are clients that cannot read chunked answers.
      'Content-Length': String(new TextEncoder().encode(answer).byteLength),
      Location: url,
      ETag: entityTag(session),
      ...protocol.headers(session.stream),
    },
  });
  addLinks(response.headers, [...links, ...protocol.extensions(url)]);
  return response;
}

/** `/whep/ID/`: a session URL that lost its last part. */
function missingResource(): never {
  throw new Failure('missing-resource-id', 'missing resource id');
}

/** GET and HEAD say that this is an endpoint, and nothing of the stream (draft-ietf-wish-whep-04 §4.1, §4.2). */
function discovery(): Response {
  return new Response('', { headers: { 'Content-Type': SDP, 'Content-Length': '0' } });
}

function addLinks(headers: Headers, links: string[]): void {
  if (links.length > 0) headers.set('Link', links.join(', '));
}

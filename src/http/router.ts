import { getLogger } from '@logtape/logtape';
import { Router } from 'itty-router';
import { CONFORMANCE } from '../conformance.ts';
import { Failure } from '../errors.ts';
import { isLoopback } from '../loopback.ts';
import { randomId } from '../random.ts';
import { adminRoutes } from './admin.ts';
import { addressOf, clientOf } from './client.ts';
import { addCorsHeaders } from './cors.ts';
import { endpointRoute } from './endpoint.ts';
import { eventRoutes } from './events.ts';
import {
  allowed,
  type Exchange,
  type Handler,
  type Methods,
  type Params,
  type Route,
  type Services,
} from './exchange.ts';
import { isLocal, requireLocalName } from './local.ts';
import { json } from './message.ts';
import { type Mounted, mountOf } from './mount.ts';
import { observeRoutes } from './observe.ts';
import { openapi } from './openapi.ts';
import { pageRoutes } from './pages.ts';
import { internalError, problem } from './problem.ts';
import { RateLimiter } from './rate.ts';
import { sessionRoute } from './resource.ts';
import { whep } from './whep.ts';
import { whip } from './whip.ts';

const log = getLogger(['fetch-whep', 'http']);

/** A request while it is being answered. */
interface Visit {
  readonly request: Request;
  readonly id: string;
  /** See `clientOf`. */
  client: string;
  /** Whether pages of other origins may read the answer. */
  cors: boolean;
  route?: Route;
  exchange?: Exchange;
}

/** The answer to every request. Never rejects. */
export function createRouter(services: Services): (request: Request) => Promise<Response> {
  const router = Router();
  for (const route of routesOf(services)) {
    router.all(route.path, (matched: Matched) => enter(route, matched));
  }

  const rate = new RateLimiter(services.settings.rateLimit);

  async function answer(visit: Visit): Promise<Response> {
    const { request } = visit;
    const { settings, access } = services;
    const mounted = mountOf(request, settings);
    if (mounted !== undefined && /^\/wh[ei]p(\/|$)/.test(mounted.path)) visit.cors = true;
    if (mounted === undefined || !isFree(request, mounted.path)) {
      visit.client = clientOf(request, settings.rateLimit?.key);
      rate.take(visit.client);
      requireLocalName(request, settings, access);
    }
    if (mounted === undefined) throw new Failure('not-found', 'not found');
    // itty-router writes to what it is given, and the request may be on its way through another router.
    const matchable = { method: request.method, url: `http://path${mounted.path}`, mounted, visit, services };
    const response: unknown = await router.fetch(matchable);
    if (response instanceof Response) return response;
    throw new Failure('not-found', 'not found');
  }

  return async (request) => {
    const start = performance.now();
    const visit: Visit = { request, id: randomId(), client: '', cors: false };
    const whole = await answer(visit).catch((error: unknown) => refusal(error, visit, services));
    const response = request.method === 'HEAD' ? await headOf(whole) : whole;
    finish(response, visit, services, (performance.now() - start) / 1000);
    return response;
  };
}

interface Matched {
  params: Partial<Params>;
  mounted: Mounted;
  visit: Visit;
  services: Services;
}

/** What costs nothing and has to answer whatever else is going on: health, and the page that plays. */
function isFree({ method }: Request, path: string): boolean {
  return /^(GET|HEAD)$/.test(method) && /^\/(healthz|readyz|play\/[^/]+)\/?$/.test(path);
}

function routesOf(services: Services): Route[] {
  const routes = [
    ...[whep(services), whip(services)].flatMap((protocol) => [
      endpointRoute(services, protocol),
      sessionRoute(services, protocol),
    ]),
    ...eventRoutes(services),
    ...observeRoutes(services),
    ...pageRoutes(services),
    ...adminRoutes(services),
  ];
  const document: Route = {
    name: 'openapi',
    action: 'observe',
    path: '/openapi.json',
    methods: {
      GET: ({ prefix }) =>
        json(
          openapi(
            [...routes, document].filter((route) => exists(route, services)),
            prefix,
          ),
        ),
    },
  };
  const nameless = ['whep', 'whip'].map((name): Route => {
    const slashed: Methods = { POST: missingStream, OPTIONS: () => new Response(null, { status: 204 }) };
    return { name, path: `/${name}`, methods: {}, slashed };
  });
  return [...routes, document, ...nameless];
}

function missingStream(): never {
  throw new Failure('missing-stream-id', 'missing stream id');
}

/** Of administration nothing shows where there is none. */
function exists({ action }: Route, { access }: Services): boolean {
  return action !== 'admin' || !access.closed('admin');
}

/** A proxy of this machine that nobody has named as trusted speaks for everybody. */
function isApart(request: Request, { settings }: Services): boolean {
  return settings.rateLimit?.key !== undefined || 'proxied' in request || !isLoopback(addressOf(request));
}

async function enter(route: Route, { params, mounted, visit, services }: Matched): Promise<Response> {
  const { request, client } = visit;
  if (!exists(route, services)) throw new Failure('not-found', 'not found');
  visit.route = route;
  const exchange: Exchange = {
    request,
    prefix: mounted.prefix,
    params: { id: readId(params.id), resource: readId(params.resource), events: readId(params.events) },
    query: new URL(request.url).searchParams,
    client: isApart(request, services) ? client : '',
    stream: '',
  };
  visit.exchange = exchange;
  const methods = (mounted.path.endsWith('/') && route.slashed) || route.methods;
  const handler = handlerOf(request.method, methods, route);
  const { action } = route;
  const refusal = action && (await services.access.check(request, action, exchange.params.id || undefined));
  return refusal ?? handler(exchange);
}

/** RFC 9110 §9.3.2: what a GET would have been answered, without its content. */
async function headOf(response: Response): Promise<Response> {
  await response.body?.cancel();
  return new Response(null, response);
}

function handlerOf(method: string, methods: Methods, route: Route): Handler {
  const known = new Map(Object.entries(methods));
  const handler = known.get(method) ?? (method === 'HEAD' ? known.get('GET') : undefined);
  if (handler !== undefined) return handler;
  if (allowed(route.methods) === '') throw new Failure('not-found', 'not found');
  throw new Failure('method-not-allowed', `this does not take ${method}`);
}

/** Decodes once. An id that none can have is not found. */
function readId(encoded: string | undefined): string {
  if (encoded === undefined) return '';
  try {
    const id = decodeURIComponent(encoded);
    if (/^[A-Za-z0-9._~-]{1,128}$/.test(id)) return id;
  } catch {
    // A malformed escape names nothing either.
  }
  throw new Failure('not-found', 'not found');
}

function refusal(error: unknown, visit: Visit, { settings }: Services): Response {
  const { request, route, id } = visit;
  if (!(error instanceof Failure)) {
    log.error('request {id} failed: {error}', { id, route: route?.name, error });
    return internalError();
  }
  const headers = {
    ...(error.code === 'method-not-allowed' && route && { Allow: allowed(route.methods) }),
    ...(error.code === 'unsupported-media-type' && route?.accepts),
  };
  const { codecMismatch } = CONFORMANCE[settings.conformance];
  const response = problem(error, { accept: request.headers.get('accept'), codecMismatch, headers });
  if (response.status >= 500 && error.cause !== undefined) {
    log.error('request {id} failed: {error}', { id, route: route?.name, error: error.cause });
  }
  return response;
}

function finish(response: Response, visit: Visit, { hub, settings, metrics, access }: Services, seconds: number): void {
  const { request, route, exchange, id } = visit;
  response.headers.set('X-Request-Id', id);
  response.headers.set('X-Content-Type-Options', 'nosniff');
  if (visit.cors) {
    const readers = isLocal(request, settings, access) ? 'local' : (settings.allowedOrigins ?? '*');
    addCorsHeaders(response.headers, request, readers);
  }
  const name = route?.name ?? 'unknown';
  // Its stream may have been removed in the meantime, its series with it.
  const stream = hub.streams.get(exchange?.stream ?? '')?.id ?? '';
  metrics.count('whep_requests_total', { route: name, code: String(response.status), stream });
  metrics.time('whep_request_duration_seconds', { route: name }, seconds);
  // Paths hold session ids, which are capabilities: the route says enough.
  const { method } = request;
  log.debug('{method} {route} {status}', { method, route: name, status: response.status, stream, id, seconds });
}

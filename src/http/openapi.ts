import * as z from 'zod';
import { ACTIONS, type Action, TOKEN_OPTIONS } from '../access.ts';
import { sourceSchema } from '../sources/spec.ts';
import { eventNames } from './events.ts';
import type { Method, Route } from './exchange.ts';
import { problemDetails, sessionEntry, sessionList, stats, streamEntry, streamList } from './schemas.ts';

interface Body {
  type: string;
  schema?: z.ZodType;
}

interface Operation {
  summary: string;
  /** What its bearer token is for, where one is configured. */
  action?: Action;
  takes?: Body;
  /** What it answers when all is well, by status. */
  gives: Record<number, Body | undefined>;
  /** Answers whatever the rate limit. */
  free?: boolean;
  /** The failures that are its own, by status. */
  fails?: number[];
}

const SDP: Body = { type: 'application/sdp' };
const HTML: Body = { type: 'text/html' };
const TEXT: Body = { type: 'text/plain' };
const asJson = (schema: z.ZodType): Body => ({ type: 'application/json', schema });
const ENDPOINT: Record<string, Operation> = {
  GET: { summary: 'Tell that this is an endpoint', gives: { 200: SDP } },
  OPTIONS: { summary: 'Preflight, and discovery of ICE servers', gives: { 204: undefined } },
};
const session = (action: Action): Record<string, Operation> => ({
  GET: { summary: 'Nothing', gives: { 204: undefined } },
  PATCH: {
    summary: 'Trickle ICE candidates',
    action,
    takes: { type: 'application/trickle-ice-sdpfrag' },
    gives: { 204: undefined },
    fails: [400, 401, 403, 404, 412, 413, 415, 422, 428],
  },
  OPTIONS: { summary: 'Preflight, and discovery of ICE servers', gives: { 204: undefined } },
});
/** Of every route but the free ones: the rate limit, and names that are not ours. */
const ANYWHERE = [421, 429];

/** Every operation there is; a route without one does not start. */
const OPERATIONS: Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>> = {
  '/whep/:id': {
    ...ENDPOINT,
    POST: {
      summary: 'Watch a stream: an SDP offer for an answer',
      action: 'watch',
      takes: SDP,
      gives: { 201: SDP },
      fails: [400, 401, 403, 404, 406, 409, 413, 415, 422, 500, 503, 504],
    },
  },
  '/whep/:id/:resource': {
    ...session('watch'),
    DELETE: { summary: 'Leave', action: 'watch', gives: { 200: undefined, 204: undefined }, fails: [401, 403, 404] },
  },
  '/whep/:id/:resource/events': {
    POST: {
      summary: 'Ask for server-sent events, for those named or all',
      action: 'watch',
      takes: asJson(eventNames),
      gives: { 201: undefined },
      fails: [400, 401, 403, 404, 413, 415],
    },
    OPTIONS: { summary: 'Preflight', gives: { 204: undefined } },
  },
  '/whep/:id/:resource/events/:events': {
    GET: {
      summary: 'The events as they happen',
      action: 'watch',
      gives: { 200: { type: 'text/event-stream' } },
      fails: [401, 403, 404],
    },
    DELETE: { summary: 'End the events', action: 'watch', gives: { 200: undefined }, fails: [401, 403, 404] },
    OPTIONS: { summary: 'Preflight', gives: { 204: undefined } },
  },
  '/whip/:id': {
    ...ENDPOINT,
    POST: {
      summary: 'Publish to a stream: an SDP offer for an answer',
      action: 'publish',
      takes: SDP,
      gives: { 201: SDP },
      fails: [400, 401, 403, 404, 409, 413, 415, 422, 500, 503, 504],
    },
  },
  '/whip/:id/:resource': {
    ...session('publish'),
    DELETE: { summary: 'Stop publishing', action: 'publish', gives: { 200: undefined }, fails: [401, 403, 404] },
  },
  '/webrtc/stats': {
    GET: { summary: 'Statistics', action: 'observe', gives: { 200: asJson(stats) }, fails: [401, 403] },
  },
  '/metrics': {
    GET: { summary: 'Metrics for Prometheus', action: 'observe', gives: { 200: TEXT }, fails: [401, 403] },
  },
  '/healthz': { GET: { summary: 'Whether the server serves', free: true, gives: { 200: TEXT }, fails: [503] } },
  '/readyz': { GET: { summary: 'Whether the engine runs', free: true, gives: { 200: TEXT }, fails: [503] } },
  '/': {
    GET: {
      summary: 'A page that lists the streams',
      action: 'observe',
      gives: { 200: HTML, 308: undefined },
      fails: [401, 403],
    },
  },
  '/play/:id': { GET: { summary: 'A page that plays a stream', free: true, gives: { 200: HTML, 308: undefined } } },
  '/openapi.json': {
    GET: {
      summary: 'This document',
      action: 'observe',
      gives: { 200: { type: 'application/json' } },
      fails: [401, 403],
    },
  },
  '/api/streams': {
    GET: { summary: 'All streams', action: 'admin', gives: { 200: asJson(streamList) }, fails: [401, 403] },
  },
  '/api/streams/:id': {
    GET: { summary: 'One stream', action: 'admin', gives: { 200: asJson(streamEntry) }, fails: [401, 403, 404] },
    PUT: {
      summary: 'Add a stream',
      action: 'admin',
      takes: asJson(sourceSchema),
      gives: { 201: asJson(streamEntry) },
      fails: [400, 401, 403, 404, 409, 413, 415, 500, 503],
    },
    DELETE: {
      summary: 'Remove a stream',
      action: 'admin',
      gives: { 204: undefined },
      fails: [401, 403, 404, 500],
    },
  },
  '/api/sessions': {
    GET: { summary: 'All sessions', action: 'admin', gives: { 200: asJson(sessionList) }, fails: [401, 403] },
  },
  '/api/sessions/:resource': {
    GET: { summary: 'One session', action: 'admin', gives: { 200: asJson(sessionEntry) }, fails: [401, 403, 404] },
    DELETE: { summary: 'End a session', action: 'admin', gives: { 204: undefined }, fails: [401, 403, 404] },
  },
};

/** OpenAPI 3.1 of the routes given, with the schemas that validate and type them. */
export function openapi(routes: readonly Route[], prefix: string): object {
  const paths = routes.map(({ path, methods }) => {
    const operations = Object.keys(methods).map((method) => {
      const operation = OPERATIONS[path]?.[method as Method];
      if (operation === undefined) throw new Error(`${method} ${path} is not described`);
      return [method.toLowerCase(), describe(operation)];
    });
    return [path.replace(/:(\w+)/g, '{$1}'), { parameters: parameters(path), ...Object.fromEntries(operations) }];
  });
  return {
    openapi: '3.1.0',
    info: { title: 'fetch-whep', version: '1', description: 'Watch by WHEP, publish by WHIP, look after both.' },
    servers: [{ url: prefix === '' ? '/' : prefix }],
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: Object.fromEntries(
        ACTIONS.map((action) => [TOKEN_OPTIONS[action], { type: 'http', scheme: 'bearer' }]),
      ),
    },
  };
}

function parameters(path: string): object[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', pattern: '^[A-Za-z0-9._~-]{1,128}$' },
  }));
}

function describe({ summary, action, takes, gives, free, fails = [] }: Operation): object {
  const answers = Object.entries(gives).map(([status, body]) => [
    status,
    { description: 'Done', ...content(body, 'output') },
  ]);
  const failures = [...fails, ...(free ? [] : ANYWHERE)].map((status) => [String(status), failure]);
  return {
    summary,
    ...(action && { security: [...(action === 'admin' ? [] : [{}]), { [TOKEN_OPTIONS[action]]: [] }] }),
    ...(takes && { requestBody: content(takes, 'input') }),
    responses: Object.fromEntries([...answers, ...failures]),
  };
}

function content(body: Body | undefined, io: 'input' | 'output'): object {
  if (body === undefined) return {};
  const schema = body.schema === undefined ? {} : { schema: jsonSchema(body.schema, io) };
  return { content: { [body.type]: schema } };
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}

const failure = {
  description: 'Refused; the reason in words',
  content: { 'text/plain': {}, 'application/problem+json': { schema: jsonSchema(problemDetails, 'output') } },
};

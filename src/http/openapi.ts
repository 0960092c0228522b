import * as z from 'zod';
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
  /** Which bearer token it takes, where one is configured. */
  token?: 'token' | 'adminToken';
  takes?: Body;
  /** What it answers when all is well, by status. */
  gives: Record<number, Body | undefined>;
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
const SESSION: Record<string, Operation> = {
  GET: { summary: 'Nothing', gives: { 204: undefined } },
  PATCH: {
    summary: 'Trickle ICE candidates',
    token: 'token',
    takes: { type: 'application/trickle-ice-sdpfrag' },
    gives: { 204: undefined },
    fails: [400, 401, 403, 404, 412, 413, 415, 422, 428, 429],
  },
  OPTIONS: { summary: 'Preflight, and discovery of ICE servers', gives: { 204: undefined } },
};

/** Every operation there is; a route without one does not start. */
const OPERATIONS: Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>> = {
  '/whep/:id': {
    ...ENDPOINT,
    POST: {
      summary: 'Watch a stream: an SDP offer for an answer',
      token: 'token',
      takes: SDP,
      gives: { 201: SDP },
      fails: [400, 401, 403, 404, 406, 409, 413, 415, 422, 429, 500, 503, 504],
    },
  },
  '/whep/:id/:resource': {
    ...SESSION,
    DELETE: { summary: 'Leave', token: 'token', gives: { 200: undefined, 204: undefined }, fails: [401, 403, 404] },
  },
  '/whep/:id/:resource/events': {
    POST: {
      summary: 'Ask for server-sent events, for those named or all',
      token: 'token',
      takes: asJson(eventNames),
      gives: { 201: undefined },
      fails: [400, 401, 403, 404, 413, 415, 429],
    },
    OPTIONS: { summary: 'Preflight', gives: { 204: undefined } },
  },
  '/whep/:id/:resource/events/:events': {
    GET: { summary: 'The events as they happen', gives: { 200: { type: 'text/event-stream' } }, fails: [404] },
    DELETE: { summary: 'End the events', gives: { 200: undefined }, fails: [404] },
    OPTIONS: { summary: 'Preflight', gives: { 204: undefined } },
  },
  '/whip/:id': {
    ...ENDPOINT,
    POST: {
      summary: 'Publish to a stream: an SDP offer for an answer',
      token: 'token',
      takes: SDP,
      gives: { 201: SDP },
      fails: [400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503, 504],
    },
  },
  '/whip/:id/:resource': {
    ...SESSION,
    DELETE: { summary: 'Stop publishing', token: 'token', gives: { 200: undefined }, fails: [401, 403, 404] },
  },
  '/webrtc/stats': { GET: { summary: 'Statistics', gives: { 200: asJson(stats) } } },
  '/metrics': { GET: { summary: 'Metrics for Prometheus', gives: { 200: TEXT } } },
  '/healthz': { GET: { summary: 'Whether the server serves', gives: { 200: TEXT }, fails: [503] } },
  '/readyz': { GET: { summary: 'Whether the engine runs', gives: { 200: TEXT }, fails: [503] } },
  '/': { GET: { summary: 'A page that lists the streams', gives: { 200: HTML, 308: undefined } } },
  '/play/:id': { GET: { summary: 'A page that plays a stream', gives: { 200: HTML, 308: undefined } } },
  '/openapi.json': { GET: { summary: 'This document', gives: { 200: { type: 'application/json' } } } },
  '/api/streams': {
    GET: { summary: 'All streams', token: 'adminToken', gives: { 200: asJson(streamList) }, fails: [401, 403] },
  },
  '/api/streams/:id': {
    GET: { summary: 'One stream', token: 'adminToken', gives: { 200: asJson(streamEntry) }, fails: [401, 403, 404] },
    PUT: {
      summary: 'Add a stream',
      token: 'adminToken',
      takes: asJson(sourceSchema),
      gives: { 201: asJson(streamEntry) },
      fails: [400, 401, 403, 404, 409, 413, 415, 500, 503],
    },
    DELETE: { summary: 'Remove a stream', token: 'adminToken', gives: { 204: undefined }, fails: [401, 403, 404, 500] },
  },
  '/api/sessions': {
    GET: { summary: 'All sessions', token: 'adminToken', gives: { 200: asJson(sessionList) }, fails: [401, 403] },
  },
  '/api/sessions/:id': {
    GET: { summary: 'One session', token: 'adminToken', gives: { 200: asJson(sessionEntry) }, fails: [401, 403, 404] },
    DELETE: { summary: 'End a session', token: 'adminToken', gives: { 204: undefined }, fails: [401, 403, 404] },
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
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        adminToken: { type: 'http', scheme: 'bearer' },
      },
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

function describe({ summary, token, takes, gives, fails = [] }: Operation): object {
  const answers = Object.entries(gives).map(([status, body]) => [
    status,
    { description: 'Done', ...content(body, 'output') },
  ]);
  const failures = fails.map((status) => [String(status), failure]);
  return {
    summary,
    ...(token && { security: [{}, { [token]: [] }] }),
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

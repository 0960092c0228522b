import type { ViewerSnapshot } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import type { Session } from '../sessions.ts';
import type { StreamStatus } from '../snapshot.ts';
import { admit } from '../sources/admit.ts';
import { sourceSchema } from '../sources/spec.ts';
import { validate } from '../validate.ts';
import type { Exchange, Methods, Route, Services } from './exchange.ts';
import { json, requireType } from './message.ts';
import type { SessionEntry, StreamEntry } from './schemas.ts';

/** Bytes. */
const MAX_SOURCE = 16 * 1024;

/** Streams and sessions, for who may administer. While nobody may, there are no such routes. */
export function adminRoutes(services: Services): Route[] {
  const { hub } = services;
  const route = (name: string, path: string, methods: Methods): Route => ({
    name,
    path,
    methods,
    action: 'admin',
    accepts: { Accept: 'application/json' },
  });

  return [
    route('api-streams', '/api/streams', { GET: () => json({ streams: hub.snapshot().streams.map(streamEntry) }) }),
    route('api-stream', '/api/streams/:id', {
      GET: ({ params }) => json(streamOf(services, params.id)),
      PUT: (exchange) => addStream(services, exchange),
      DELETE: async ({ params }) => {
        if (!(await hub.removeStream(params.id))) throw new Failure('stream-not-found', 'webrtc: stream not found');
        return new Response(null, { status: 204 });
      },
    }),
    route('api-sessions', '/api/sessions', { GET: () => json({ sessions: sessionEntries(services) }) }),
    route('api-session', '/api/sessions/:resource', {
      GET: ({ params }) => {
        const entry = sessionEntries(services).find(({ id }) => id === params.resource);
        if (entry === undefined) throw new Failure('resource-not-found', 'webrtc: no such session');
        return json(entry);
      },
      DELETE: async ({ params }) => {
        const session = hub.sessions.get(params.resource);
        if (session === undefined) throw new Failure('resource-not-found', 'webrtc: no such session');
        await hub.leave(session);
        return new Response(null, { status: 204 });
      },
    }),
  ];
}

async function addStream(services: Services, { request, params, prefix }: Exchange): Promise<Response> {
  const { hub, bodies, settings } = services;
  requireType(request, 'application/json');
  const body = await bodies.read(request, MAX_SOURCE);
  const source = await admit(validate(sourceSchema, readJson(body), 'source'), settings.adminSources, settings.codecs);
  await hub.addStream(params.id, source);
  return json(streamOf(services, params.id), 201, { Location: `${prefix}/api/streams/${params.id}` });
}

function readJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new Failure('bad-request', 'send a source as JSON: a string or an object', { cause });
  }
}

function streamOf({ hub }: Services, id: string): StreamEntry {
  const stream = hub.snapshot().streams.find((each) => each.id === id);
  if (stream === undefined) throw new Failure('stream-not-found', 'webrtc: stream not found');
  return streamEntry(stream);
}

function streamEntry({ id, state, source, description, ports, viewers }: StreamStatus): StreamEntry {
  return { id, state, source, description, ports, viewers };
}

function sessionEntries({ hub }: Services): SessionEntry[] {
  const viewers = new Map(hub.engine.viewers().map((viewer) => [viewer.id, viewer]));
  return [...hub.sessions].map((session) => sessionEntry(session, viewers.get(session.id)));
}

function sessionEntry(session: Session, viewer: ViewerSnapshot | undefined): SessionEntry {
  const seconds = (performance.now() - session.since) / 1000;
  const { srtpProfile, dtlsVersion } = session.security ?? {};
  const entry = {
    id: session.id,
    kind: session.kind,
    stream: session.stream,
    age_seconds: seconds,
    srtp_profile: srtpProfile,
    dtls_version: dtlsVersion,
  };
  if (viewer === undefined) return { ...entry, state: session.state };
  return {
    ...entry,
    state: viewer.state,
    packets_out: viewer.packetsOut,
    bytes_out: viewer.bytesOut,
    bits_per_second: Math.round((viewer.bytesOut * 8) / Math.max(viewer.ageSeconds, 0.001)),
    retransmissions: viewer.retransmissions,
    rtt_seconds: viewer.rttSeconds,
    loss_ratio: viewer.lossRatio,
    jitter_seconds: viewer.jitterSeconds,
    candidate_pair: viewer.candidatePair,
  };
}

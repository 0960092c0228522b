import * as z from 'zod';
import { Failure } from '../errors.ts';
import type { Hub, Notice } from '../hub.ts';
import { randomId } from '../random.ts';
import type { Session } from '../sessions.ts';
import { allowed, type Exchange, type Methods, type Route, type Services } from './exchange.ts';
import { requireType } from './message.ts';

/** The events that a client may ask for (the WHEP core extensions). */
export const eventNames = z.array(z.enum(['active', 'inactive', 'viewercount', 'reconnect']));
type EventName = z.output<typeof eventNames>[number];

/** Events a client may be behind before it is cut off. */
const BACKLOG = 32;
/** Viewers come and go in bursts: their number is told once in this time. Milliseconds. */
const COUNT_INTERVAL = 1000;
/** Milliseconds; shorter than the idle limits of proxies. */
const KEEP_ALIVE = 15_000;
const STREAMS_PER_SESSION = 4;
/** Bytes. */
const MAX_NAMES = 1024;

interface EventStream {
  readonly session: Session;
  readonly names: ReadonlySet<EventName>;
  reader?: ReadableStreamDefaultController<Uint8Array>;
}

/** The event streams of all viewers. A stream dies with its session. */
export class EventStreams {
  readonly names = eventNames.element.options;
  readonly #hub: Hub;
  readonly #streams = new Map<string, EventStream>();
  readonly #counted = new Set<string>();
  #counting: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout | undefined;

  constructor(hub: Hub) {
    this.#hub = hub;
    hub.listen((notice) => this.#notice(notice));
  }

  /** Id of the new stream. Throws `rate-limited` when the session has enough of them. */
  add(session: Session, names: readonly EventName[]): string {
    if ([...this.#streams.values()].filter((stream) => stream.session === session).length >= STREAMS_PER_SESSION) {
      throw new Failure('rate-limited', 'webrtc: the session has enough event streams');
    }
    const id = randomId();
    this.#streams.set(id, { session, names: new Set(names) });
    return id;
  }

  /** Its events from now on; undefined for an unknown stream. A second reader takes the place of the first. */
  read(session: Session, id: string): ReadableStream<Uint8Array> | undefined {
    const stream = this.#of(session, id);
    if (stream === undefined) return undefined;
    close(stream);
    this.#beat ??= setInterval(() => this.#keepAlive(), KEEP_ALIVE).unref();
    let reader: ReadableStreamDefaultController<Uint8Array> | undefined;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          reader = controller;
          stream.reader = controller;
          // Nothing is said of a stream that is not live: it never was active for this client.
          if (this.#hub.streams.state(session.stream) === 'live') send(stream, 'active', {});
          send(stream, 'viewercount', this.#count(session.stream));
        },
        cancel: () => {
          if (stream.reader === reader) delete stream.reader;
        },
      },
      { highWaterMark: BACKLOG },
    );
  }

  has(session: Session, id: string): boolean {
    return this.#of(session, id) !== undefined;
  }

  /** False for an unknown stream. */
  remove(session: Session, id: string): boolean {
    const stream = this.#of(session, id);
    if (stream === undefined) return false;
    close(stream);
    return this.#streams.delete(id);
  }

  #of(session: Session, id: string): EventStream | undefined {
    const stream = this.#streams.get(id);
    return stream?.session === session ? stream : undefined;
  }

  #notice(notice: Notice): void {
    if (notice.type === 'session-ended') this.#end(notice.session, notice.reason);
    else if (notice.type === 'closing') this.#tell(() => true, 'reconnect', {});
    else if (notice.type === 'viewers') this.#countSoon(notice.stream);
    else this.#tell(({ stream }) => stream === notice.stream, notice.type, {});
  }

  #tell(whom: (session: Session) => boolean, name: EventName, data: object): void {
    for (const stream of this.#streams.values()) if (whom(stream.session)) send(stream, name, data);
  }

  /** Whoever may come back at once is told so. */
  #end(session: string, reason: Session['ended']): void {
    if (reason === 'codec-changed') this.#tell(({ id }) => id === session, 'reconnect', { reason });
    this.#drop(session);
  }

  #drop(session: string): void {
    for (const [id, stream] of this.#streams) {
      if (stream.session.id !== session) continue;
      close(stream);
      this.#streams.delete(id);
    }
  }

  #countSoon(stream: string): void {
    if (this.#streams.size === 0) return;
    this.#counted.add(stream);
    this.#counting ??= setTimeout(() => {
      this.#counting = undefined;
      const streams = [...this.#counted];
      this.#counted.clear();
      for (const id of streams) this.#tell((session) => session.stream === id, 'viewercount', this.#count(id));
    }, COUNT_INTERVAL).unref();
  }

  #count(stream: string): object {
    return { viewercount: this.#hub.sessions.viewersOf(stream) };
  }

  #keepAlive(): void {
    const open = [...this.#streams.values()].filter((stream) => stream.reader !== undefined);
    for (const stream of open) write(stream, ':\n\n');
    if (open.length > 0) return;
    clearInterval(this.#beat);
    this.#beat = undefined;
  }
}

/** `/whep/:id/:resource/events`, and what its POST creates. */
export function eventRoutes(services: Services): Route[] {
  const path = '/whep/:id/:resource/events';
  const accepts = { 'Accept-Post': 'application/json' };
  const maker: Methods = {
    POST: (exchange) => subscribe(services, exchange),
    OPTIONS: () => options(maker, accepts),
  };
  const made: Methods = {
    GET: (exchange) => read(services, exchange),
    DELETE: (exchange) => unsubscribe(services, exchange),
    OPTIONS: () => options(made),
  };
  return [
    { name: 'whep-events', path, methods: maker, accepts },
    { name: 'whep-event-stream', path: `${path}/:events`, methods: made },
  ];
}

function options(methods: Methods, headers: Record<string, string> = {}): Response {
  return new Response(null, { status: 204, headers: { Allow: allowed(methods), ...headers } });
}

/** Throws `resource-not-found`; asked again after each wait, in which the session may have ended. */
function sessionOf({ hub }: Services, { params }: Exchange): Session {
  return hub.require('viewer', params.id, params.resource);
}

/** First the session: nothing is said about credentials that come with a guessed one. */
async function refusalOf(services: Services, exchange: Exchange): Promise<Response | undefined> {
  sessionOf(services, exchange);
  return services.access.checkIfSent(exchange.request, 'watch', exchange.params.id);
}

async function subscribe(services: Services, exchange: Exchange): Promise<Response> {
  const { bodies, events } = services;
  const { request, params, prefix } = exchange;
  const refusal = await refusalOf(services, exchange);
  if (refusal) return refusal;
  exchange.stream = params.id;
  const body = await bodies.read(request, MAX_NAMES);
  if (body !== '') requireType(request, 'application/json');
  const id = events.add(sessionOf(services, exchange), body === '' ? events.names : readNames(body));
  return new Response(null, {
    status: 201,
    headers: { Location: `${prefix}/whep/${params.id}/${params.resource}/events/${id}` },
  });
}

function readNames(body: string): EventName[] {
  try {
    return eventNames.parse(JSON.parse(body));
  } catch (cause) {
    const names = eventNames.element.options.join(', ');
    throw new Failure('bad-request', `send a JSON array of event names; there are ${names}`, { cause });
  }
}

async function read(services: Services, exchange: Exchange): Promise<Response> {
  const { events } = services;
  const { request, params } = exchange;
  const refusal = await refusalOf(services, exchange);
  if (refusal) return refusal;
  const session = sessionOf(services, exchange);
  if (!events.has(session, params.events)) throw new Failure('not-found', 'not found');
  exchange.stream = params.id;
  // RFC 9110 §9.2.1: HEAD is safe, it takes no reader's place.
  const body = request.method === 'HEAD' ? null : events.read(session, params.events);
  const headers = {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    // A reader that was replaced would keep its connection for another request.
    Connection: 'close',
    // nginx would hold events back until a buffer is full.
    'X-Accel-Buffering': 'no',
  };
  return new Response(body, { headers });
}

async function unsubscribe(services: Services, exchange: Exchange): Promise<Response> {
  const { events } = services;
  const { params } = exchange;
  const refusal = await refusalOf(services, exchange);
  if (refusal) return refusal;
  if (!events.remove(sessionOf(services, exchange), params.events)) throw new Failure('not-found', 'not found');
  exchange.stream = params.id;
  return new Response(null, { status: 200 });
}

function send(stream: EventStream, name: EventName, data: object): void {
  if (stream.names.has(name)) write(stream, `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** A client that does not read is cut off; it can come back for the events from then on. */
function write(stream: EventStream, text: string): void {
  if (stream.reader === undefined) return;
  if ((stream.reader.desiredSize ?? 0) <= 0) close(stream);
  else stream.reader.enqueue(new TextEncoder().encode(text));
}

function close(stream: EventStream): void {
  stream.reader?.close();
  delete stream.reader;
}

import { createServer, type Server, type ServerOptions } from '../../src/index.ts';
import { FakeEngine } from './fake-engine.ts';
import { LISTENERS, type Listener } from './listen.ts';

export interface Seen {
  method: string;
  /** With the query. */
  path: string;
  authorization: string | null;
  type: string | null;
  /** `If-Match`. */
  match: string | null;
  body: string;
  /** `performance.now()`. */
  at: number;
}

/** A WHEP server that another one pulls from, with a live stream `cam1`; it does what the test's script says instead. */
export class Origin {
  readonly engine: FakeEngine;
  readonly seen: Seen[] = [];
  /** What answers in place of the real handler; undefined: nothing does. */
  script: (request: Request, seen: Seen) => Response | Promise<Response> | undefined = () => undefined;
  readonly #server: Server;
  readonly #listener: Listener;

  private constructor(engine: FakeEngine, server: Server, listener: Listener) {
    this.engine = engine;
    this.#server = server;
    this.#listener = listener;
  }

  static async start(options: ServerOptions = {}): Promise<Origin> {
    const engine = new FakeEngine();
    const server = await createServer({ engine, streams: { cam1: 'clip' }, ...options });
    const [[, listen]] = LISTENERS as [(typeof LISTENERS)[number]];
    let origin: Origin | undefined;
    const listener = await listen((request) => origin?.answer(request) ?? new Response(null, { status: 503 }));
    origin = new Origin(engine, server, listener);
    return origin;
  }

  get url(): string {
    return `${this.#listener.origin}/whep/cam1`;
  }

  get port(): number {
    return this.#listener.port;
  }

  methods(): string[] {
    return this.seen.map(({ method }) => method);
  }

  async answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const body = await request.text();
    const seen = {
      method: request.method,
      path: `${pathname}${search}`,
      authorization: request.headers.get('authorization'),
      type: request.headers.get('content-type'),
      match: request.headers.get('if-match'),
      body,
      at: performance.now(),
    };
    this.seen.push(seen);
    const scripted = this.script(request, seen);
    if (scripted !== undefined) return scripted;
    return this.real(request, body);
  }

  /** What the real handler answers. */
  real(request: Request, body: string): Promise<Response> {
    const { method, headers, url } = request;
    return this.#server.fetch(new Request(url, { method, headers, ...(body !== '' && { body }) }));
  }

  async close(): Promise<void> {
    await this.#listener.close();
    await this.#server.close();
  }
}

import { setTimeout as pause } from 'node:timers/promises';
import { Server as SecureServer } from 'node:tls';
import { type Server as HttpServer, serve as listen } from 'srvx';
import { Failure } from './index.ts';
import { TrustedProxies } from './proxies.ts';
import { faultOf, readTls, type Tls } from './tls.ts';
import { Turns } from './turns.ts';

export type { Tls } from './tls.ts';

/** A server of ours, or an app around it: what Hono and itty-router make, for example. */
export interface App {
  fetch(request: Request): Response | Promise<Response>;
}

export interface ServeOptions {
  /** Address to listen on; `127.0.0.1` by default. */
  host?: string | undefined;
  /** TCP port, 8080 by default; 0 lets the system choose. */
  port?: number | undefined;
  /** Certificate chain and private key in PEM: the text itself, or the path of a file that holds it. */
  tls?: Tls | undefined;
  /**
   * Proxies in front, by address or network (`['127.0.0.1', '10.0.0.0/8']`): from these `X-Forwarded-For`, `-Proto` and
   * `Forwarded` are believed, so that limits tell clients apart. None by default.
   */
  trustedProxies?: readonly string[] | undefined;
}

export interface Listener {
  /** Scheme, address and port, without a slash at the end. */
  readonly url: string;
  /**
   * Another certificate and key, from the next connection on; those that are open go on. Only for a listener that has one.
   * Rejects with `invalid-options`, and the old one stays in use. Bun and Deno listen anew for it: for some milliseconds
   * connections are refused, and with `address-in-use` nothing listens until a further call succeeds.
   */
  renewTls(tls: Tls): Promise<void>;
  /** Stops listening; answers under way get 2 s to finish. A server of ours is closed by its own `close`. */
  close(): Promise<void>;
}

/** How long answers under way may take when the listener closes. Milliseconds. */
const GRACE = 2000;
/** How long a port may take to be free again after its listener has closed. Milliseconds. */
const RELEASE = 10_000;

/** One socket that listens. */
interface Socket {
  readonly http: HttpServer;
  /** Connections go on until they have had their answers. */
  close(): Promise<void>;
  /** Ends connections as well. */
  cut(): void;
}

type Handler = (request: Request) => Response | Promise<Response>;

/**
 * Listens with the HTTP server of the current runtime: Node, Bun or Deno. Rejects with a `Failure`: `address-in-use`, or
 * `invalid-options` when the address or the certificate cannot be used.
 */
export async function serve(app: App, options: ServeOptions = {}): Promise<Listener> {
  const { host = '127.0.0.1', port = 8080 } = options;
  const proxies = new TrustedProxies(options.trustedProxies ?? []);
  const fetch: Handler = (request) => app.fetch(proxies.resolve(request));
  const tls = options.tls && checked(options.tls);
  const first = await open(fetch, host, port, tls);
  const url = publicUrl(first.http.url, host, port, tls !== undefined);
  /** The newest listens; others go on for who is connected. */
  const sockets = new Set([first]);
  const turns = new Turns();

  async function renew(next: Tls): Promise<void> {
    if (tls === undefined) throw new Failure('invalid-options', 'tls: the listener was made without it');
    if (!renewInPlace(first, next)) await listenAnew(next);
  }

  async function listenAnew(next: Tls): Promise<void> {
    // On another port, since a runtime may refuse what looks like a pair.
    await (await open(() => new Response(null, { status: 404 }), host, 0, next)).close();
    for (const socket of sockets) void socket.close().then(() => sockets.delete(socket));
    sockets.add(await reopen(fetch, host, Number(new URL(url).port || 443), next));
  }

  async function close(): Promise<void> {
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.cut();
    }, GRACE);
    await Promise.all([...sockets].map((socket) => socket.close()));
    clearTimeout(timer);
  }

  return {
    url,
    renewTls: (next) => turns.take('', async () => renew(checked(next))),
    close: () => turns.take('', close),
  };
}

async function open(fetch: Handler, hostname: string, port: number, tls: Tls | undefined): Promise<Socket> {
  const abort = new AbortController();
  try {
    const http = listen({
      fetch,
      hostname,
      port,
      ...(tls && { tls }),
      manual: true,
      silent: true,
      gracefulShutdown: false,
      // HTTP/2 connections would not end with the listener.
      node: { http2: false },
      deno: { signal: abort.signal },
    });
    await http.serve();
    let closed: Promise<void> | undefined;
    const close = () => {
      closed ??= http.close();
      return closed;
    };
    const cut = () => {
      abort.abort();
      void http.close(true);
    };
    return { http, close, cut };
  } catch (error) {
    throw refusal(error, hostname, port);
  }
}

/** Where the port was ours until just now. */
async function reopen(fetch: Handler, host: string, port: number, tls: Tls): Promise<Socket> {
  const deadline = performance.now() + RELEASE;
  for (;;) {
    try {
      return await open(fetch, host, port, tls);
    } catch (error) {
      const taken = error instanceof Failure && error.code === 'address-in-use';
      if (!taken || performance.now() > deadline) throw error;
      await pause(10);
    }
  }
}

/** What Node can do, and the others cannot. */
function renewInPlace({ http }: Socket, tls: Tls): boolean {
  const server = http.node?.server;
  if (!(server instanceof SecureServer)) return false;
  server.setSecureContext(tls);
  return true;
}

/** As text. Throws `invalid-options` for files that cannot be read, and for what is no pair. */
function checked(tls: Tls): Tls {
  let texts: Tls;
  try {
    texts = readTls(tls);
  } catch (cause) {
    throw new Failure('invalid-options', `tls: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  const fault = faultOf(texts);
  if (fault !== undefined) throw new Failure('invalid-options', `tls.${fault.of}: ${fault.cure}`);
  return texts;
}

/** The address as it was asked for: runtimes report it differently. Only the port may have been left to the system. */
function publicUrl(reported: string | undefined, host: string, port: number, secure: boolean): string {
  const chosen = reported === undefined ? '' : new URL(reported).port;
  const name = host.includes(':') ? `[${host}]` : host;
  return new URL(`${secure ? 'https' : 'http'}://${name}:${chosen || port}`).origin;
}

function refusal(error: unknown, host: string, port: number): Failure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const text = error instanceof Error ? error.message : String(error);
  if (code === 'EADDRINUSE' || /address (already )?in use|AddrInUse/i.test(text)) {
    return new Failure(
      'address-in-use',
      `port ${port} on ${host} is in use: choose another, or end what listens there`,
      { cause: error },
    );
  }
  return new Failure('invalid-options', `cannot listen on ${host}, port ${port}: ${text.split('\n')[0]}`, {
    cause: error,
  });
}

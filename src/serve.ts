import { serve as listen } from 'srvx';
import { Failure } from './index.ts';
import { TrustedProxies } from './proxies.ts';

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

export interface Tls {
  cert: string;
  key: string;
}

export interface Listener {
  /** Scheme, address and port, without a slash at the end. */
  readonly url: string;
  /** Stops listening; answers under way get 2 s to finish. A server of ours is closed by its own `close`. */
  close(): Promise<void>;
}

/** How long answers under way may take when the listener closes. Milliseconds. */
const GRACE = 2000;

/**
 * Listens with the HTTP server of the current runtime: Node, Bun or Deno. Rejects with a `Failure`: `address-in-use`, or
 * `invalid-options` when the address or the certificate cannot be used.
 */
export async function serve(app: App, options: ServeOptions = {}): Promise<Listener> {
  const { host = '127.0.0.1', port = 8080, tls } = options;
  const proxies = new TrustedProxies(options.trustedProxies ?? []);
  const abort = new AbortController();
  const http = await begin();

  async function begin() {
    try {
      const http = listen({
        fetch: (request) => app.fetch(proxies.resolve(request)),
        hostname: host,
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
      return http;
    } catch (error) {
      throw refusal(error, host, port);
    }
  }

  async function close(): Promise<void> {
    const timer = setTimeout(() => {
      abort.abort();
      void http.close(true);
    }, GRACE);
    await http.close();
    clearTimeout(timer);
  }

  return { url: publicUrl(http.url, host, port, tls !== undefined), close };
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

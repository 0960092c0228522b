import { serve } from 'srvx';

type Fetch = (request: Request) => Response | Promise<Response>;

export interface Listener {
  /** Without a slash at its end. */
  origin: string;
  port: number;
  close(): Promise<void>;
}

interface Runtime {
  Bun?: {
    serve(options: { fetch: Fetch; port: number; hostname: string }): {
      port: number;
      stop(now: boolean): Promise<void>;
    };
  };
  Deno?: {
    serve(
      options: { port: number; hostname: string; onListen: () => void },
      fetch: Fetch,
    ): { addr: { port: number }; shutdown(): Promise<void> };
  };
}

/** Listens on loopback through srvx, as the command line does. */
export async function listen(fetch: Fetch): Promise<Listener> {
  const server = serve({ fetch, port: 0, hostname: '127.0.0.1', silent: true, gracefulShutdown: false });
  await server.ready();
  const port = Number(new URL(server.url ?? '').port);
  return { origin: `http://127.0.0.1:${port}`, port, close: () => server.close(true) };
}

/** Listens on loopback with nothing between the runtime and the handler. */
async function listenBare(fetch: Fetch): Promise<Listener> {
  const { Bun, Deno } = globalThis as Runtime;
  if (Bun) {
    const server = Bun.serve({ fetch, port: 0, hostname: '127.0.0.1' });
    return { origin: `http://127.0.0.1:${server.port}`, port: server.port, close: () => server.stop(true) };
  }
  if (!Deno) throw new Error('Node has no server that takes a fetch handler');
  const server = Deno.serve({ port: 0, hostname: '127.0.0.1', onListen: () => {} }, fetch);
  const { port } = server.addr;
  return { origin: `http://127.0.0.1:${port}`, port, close: () => server.shutdown() };
}

/** Every way to listen on this runtime, by name. */
export const LISTENERS: readonly [name: string, listen: (fetch: Fetch) => Promise<Listener>][] = [
  ['srvx', listen],
  ...('Bun' in globalThis || 'Deno' in globalThis
    ? [['the runtime itself', listenBare] as [string, typeof listen]]
    : []),
];

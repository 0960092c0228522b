import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as esbuild from 'esbuild';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Site {
  /** Another origin than that of a server on 127.0.0.1. Without a slash at its end. */
  origin: string;
  close(): void;
}

/** A site of the test's own: files by path, and what else it answers to. */
export async function site(files: Record<string, string>, others: Record<string, Handler> = {}): Promise<Site> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').replace(/\?.*/, '');
    const handler = others[path];
    const file = files[path];
    if (handler !== undefined) {
      handler(request, response);
    } else {
      const type = path.endsWith('.js') ? 'text/javascript' : 'text/html';
      response.writeHead(file === undefined ? 404 : 200, { 'Content-Type': `${type}; charset=utf-8` });
      response.end(file);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://localhost:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A script as a user's bundler makes it of their source. */
export async function bundled(source: string): Promise<string> {
  const { outputFiles } = await esbuild.build({
    stdin: { contents: source, resolveDir: '.', loader: 'ts' },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}

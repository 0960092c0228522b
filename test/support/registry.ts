import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A package as npm is told of it; without `tarball` it can be looked up but not installed. */
export interface Publication {
  manifest: { name: string; version: string };
  tarball?: string;
}

export interface Registry {
  url: string;
  close(): void;
}

/** An npm registry on loopback that holds just these packages. */
export async function startRegistry(publications: readonly Publication[]): Promise<Registry> {
  const server = createServer((request, response) => {
    // Another registry may have this port the next time.
    response.setHeader('Cache-Control', 'no-store');
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://registry').pathname).slice(1);
    const publication = publications.find(({ manifest }) => path.startsWith(manifest.name));
    if (publication === undefined) {
      response.writeHead(404).end();
      return;
    }
    const { manifest, tarball } = publication;
    if (path === manifest.name) {
      const origin = `http://${request.headers.host}`;
      const described = { ...manifest, dist: distribution(origin, publication) };
      const document = {
        name: manifest.name,
        'dist-tags': { latest: manifest.version },
        versions: { [manifest.version]: described },
      };
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(document));
    } else {
      response.writeHead(tarball === undefined ? 404 : 200).end(tarball && readFileSync(tarball));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function distribution(origin: string, { manifest, tarball }: Publication): { tarball: string; integrity: string } {
  const digest = createHash('sha512').update(tarball === undefined ? '' : readFileSync(tarball));
  return { tarball: `${origin}/${manifest.name}/file.tgz`, integrity: `sha512-${digest.digest('base64')}` };
}

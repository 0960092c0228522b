import { createServer } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import type { AddressInfo } from 'node:net';

/** Of the certificates that the tests make; a connection for each request. */
export const TRUSTING: RequestOptions = { rejectUnauthorized: false, agent: false };

/** Lets a viewer that speaks neither https nor tokens in: a port on loopback that passes on what comes. */
export interface Gate {
  readonly url: string;
  /** Sent along from now on. */
  token: string;
  /** `Location` of every answer that had one. */
  readonly locations: readonly string[];
  close(): void;
}

export async function openGate(target: string, token: string): Promise<Gate> {
  const locations: string[] = [];
  const server = createServer((asked, answer) => {
    const { host: _, ...headers } = asked.headers;
    const authorization = `Bearer ${gate.token}`;
    const options = { ...TRUSTING, method: asked.method, headers: { ...headers, authorization } };
    const onward = request(`${target}${asked.url}`, options, (response) => {
      const { location } = response.headers;
      if (location !== undefined) locations.push(location);
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    onward.on('error', () => answer.writeHead(502).end());
    asked.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  const gate: Gate = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token, locations, close };
  return gate;
}

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

/** A TCP port that is free on `host` now. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Whether somebody takes connections on a TCP port of loopback. */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** The first of two UDP ports in a row that are free on `host` now. */
export async function freeUdpPorts(host: string): Promise<number> {
  for (;;) {
    const first = await hold(host, 0);
    const second = first && (await hold(host, first.port + 1));
    await second?.release();
    await first?.release();
    if (first && second) return first.port;
  }
}

/** Has a UDP port, 0 for any, until it is released; undefined when somebody else has it. */
export async function hold(
  host: string,
  port: number,
): Promise<{ port: number; release(): Promise<void> } | undefined> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    const bound = once(socket, 'listening');
    socket.bind(port, host);
    await bound;
  } catch {
    return undefined;
  }
  const release = async () => {
    socket.close();
    await once(socket, 'close');
  };
  return { port: socket.address().port, release };
}

import { Buffer } from 'node:buffer';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { getLogger } from '@logtape/logtape';
import { addressesOutside } from '../addresses.ts';

const log = getLogger(['fetch-whep', 'ffmpeg']);

/** Bytes of a request's head; FFmpeg's have some hundred. */
const MAX_HEAD = 16 * 1024;
/** For a head to arrive, and for a connection to be made. Milliseconds. */
const PATIENCE = 10_000;
const REFUSAL = 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n';

let shared: Promise<string> | undefined;

/**
 * The URL of an HTTP proxy on loopback that connects to the Internet alone: FFmpeg follows redirects and playlists
 * wherever they lead, and looks up names again. There is one for all sources; it keeps no process alive.
 */
export function outsideProxy(): Promise<string> {
  shared ??= openProxy(addressesOutside);
  return shared;
}

/** `resolve` gives the addresses of a host, and none when it may not be reached. */
export function openProxy(resolve: (host: string) => Promise<string[]>): Promise<string> {
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    serve(client, resolve).catch((error: unknown) => {
      log.debug('an input was not reached: {error}', { error: String(error) });
      client.end(REFUSAL);
    });
  });
  server.unref();
  return new Promise((opened, failed) => {
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => opened(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}

async function serve(client: Socket, resolve: (host: string) => Promise<string[]>): Promise<void> {
  const { head, rest } = await readHead(client);
  const [line = '', ...fields] = head.split('\r\n');
  const [method = '', target = '', version = ''] = line.split(' ');
  const tunnel = method === 'CONNECT';
  const { protocol, hostname, port, pathname, search } = new URL(tunnel ? `http://${target}` : target);
  if (protocol !== 'http:') throw new Error('no http: URL');
  const upstream = await reach(await resolve(hostname), Number(port || 80));
  client.on('close', () => upstream.destroy());
  if (client.destroyed) upstream.destroy();
  upstream.on('error', () => client.destroy());
  if (tunnel) {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
  } else {
    // One request for each connection: the next may be for another host.
    const kept = fields.filter((field) => !/^(proxy-)?connection:/i.test(field));
    upstream.write([`${method} ${pathname}${search} ${version}`, ...kept, 'Connection: close', '', ''].join('\r\n'));
  }
  upstream.write(rest);
  client.pipe(upstream);
  upstream.pipe(client);
}

/** What precedes the first empty line, and what already came after it. */
function readHead(client: Socket): Promise<{ head: string; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let read = Buffer.alloc(0);
    client.setTimeout(PATIENCE, () => reject(new Error('no request')));
    client.once('close', () => reject(new Error('no request')));
    client.on('data', function take(more: Buffer) {
      read = Buffer.concat([read, more]);
      const end = read.indexOf('\r\n\r\n');
      if (end < 0 && read.length > MAX_HEAD) reject(new Error('too long a request'));
      if (end < 0) return;
      client.off('data', take);
      client.pause();
      client.setTimeout(0);
      resolve({ head: read.toString('latin1', 0, end), rest: read.subarray(end + 4) });
    });
  });
}

/** A connection to the first of the addresses that answers. */
async function reach([address, ...others]: string[], port: number): Promise<Socket> {
  if (address === undefined) throw new Error('nowhere to connect to');
  const socket = connect(port, address);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(PATIENCE, () => reject(new Error('no connection in time')));
      socket.once('error', reject);
      socket.once('connect', resolve);
    });
    socket.setTimeout(0);
    return socket;
  } catch (error) {
    socket.destroy();
    if (others.length === 0) throw error;
    return reach(others, port);
  }
}

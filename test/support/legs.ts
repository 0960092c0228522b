import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Ingress, StreamPorts } from '../../src/engine/port.ts';
import type { Source } from '../../src/sources/source.ts';
import { type Process, processes } from './process.ts';

/** UDP ports that keep what arrives, in place of an engine. */
export class Legs {
  readonly #sockets: Socket[] = [];
  readonly datagrams = { video: [] as Uint8Array[], audio: [] as Uint8Array[] };

  async open(): Promise<StreamPorts> {
    return { video: await this.#leg('video'), audio: await this.#leg('audio') };
  }

  async #leg(kind: 'video' | 'audio'): Promise<number> {
    const socket = createSocket('udp4');
    this.#sockets.push(socket);
    socket.on('message', (datagram) => this.datagrams[kind].push(datagram));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return socket.address().port;
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

/** Runs `source` on ports of its own and gives what reads them. */
export async function running(source: Source, use: (legs: Legs, ports: StreamPorts) => Promise<void>): Promise<void> {
  const legs = new Legs();
  try {
    const ports = await legs.open();
    await ingressOf(source);
    await startOn(source, ports);
    await use(legs, ports);
  } finally {
    await source.stop();
    legs.close();
  }
}

export async function ingressOf(source: Source): Promise<Ingress> {
  return typeof source.ingress === 'function' ? source.ingress(new AbortController().signal) : source.ingress;
}

export function startOn(source: Source, ports: StreamPorts): Promise<void> {
  return source.start('cam1', ports, new AbortController().signal);
}

export function ffmpegsOn(ports: StreamPorts): Process[] {
  return processes().filter(
    ({ command }) => command[0] === 'ffmpeg' && command.some((each) => each.includes(`:${ports.video}?`)),
  );
}

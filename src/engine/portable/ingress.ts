import type { Socket } from 'node:dgram';
import { Failure } from '../../errors.ts';
import { type Codec, titleOf } from '../codecs.ts';
import type { Ingress, LegKind, StreamPorts } from '../port.ts';
import { parseClip, playClip } from './clip.ts';
import type { Stream } from './stream.ts';
import { closeSocket, openSocket } from './udp.ts';

/** What feeds a stream. */
export interface Input {
  ports: StreamPorts;
  /** UDP sockets that are open for it. */
  sockets: number;
  close(): Promise<void>;
}

export function legsOf(ingress: Ingress): LegKind[] {
  switch (ingress.kind) {
    case 'rtp':
    case 'push':
      return (['video', 'audio'] as const).filter((leg) => ingress[leg] !== undefined);
    case 'clip':
      return ['video', 'audio'];
    case 'publisher':
    case 'pull':
      return ingress.legs;
  }
}

/**
 * Opens the ingress. Rejects with `address-in-use`, or with `engine-unavailable` for a publisher, a pull or a codec that
 * this engine does not know.
 */
export async function openIngress(ingress: Ingress, stream: Stream): Promise<Input> {
  for (const codec of codecsOf(ingress)) {
    if (CODECS.includes(codec)) continue;
    const text = `the portable engine carries H264 and Opus alone: ${titleOf(codec)} needs the native engine (--engine native)`;
    throw new Failure('engine-unavailable', text);
  }
  switch (ingress.kind) {
    case 'rtp':
      return openRtp(ingress, stream);
    case 'clip': {
      const stop = playClip(parseClip(ingress), ({ kind, data }, at) => push(stream, kind, data, at));
      return { ports: {}, sockets: 0, close: async () => stop() };
    }
    case 'push':
      return { ports: {}, sockets: 0, close: async () => {} };
    case 'publisher':
      throw new Failure(
        'engine-unavailable',
        'the portable engine takes no WHIP publishers: they need the native engine (--engine native)',
      );
    case 'pull':
      throw new Failure(
        'engine-unavailable',
        'the portable engine pulls from no other server: that needs the native engine (--engine native)',
      );
  }
}

const CODECS: readonly Codec[] = ['h264', 'opus'];

/** Those that are told beforehand. */
function codecsOf(ingress: Ingress): Codec[] {
  if (ingress.kind !== 'rtp' && ingress.kind !== 'push') return [];
  return legsOf(ingress).flatMap((kind) => ingress[kind]?.codec ?? []);
}

function push(stream: Stream, kind: LegKind, data: Buffer, at: number): void {
  const leg = stream.leg(kind);
  if (leg !== undefined) stream.push(leg, data, at, performance.now());
}

async function openRtp(ingress: Ingress & { kind: 'rtp' }, stream: Stream): Promise<Input> {
  const sockets: Socket[] = [];
  const ports: StreamPorts = {};
  const close = async () => {
    await Promise.all(sockets.map(closeSocket));
  };
  const open = async (kind: LegKind, port: number) => {
    const socket = await openSocket(ingress.host, port, (datagram, from) => {
      stream.handleDatagram(kind, datagram, from, performance.now());
    });
    sockets.push(socket);
    return socket.address().port;
  };
  try {
    for (const kind of legsOf(ingress)) {
      const port = await open(kind, ingress[kind]?.port ?? 0);
      ports[kind] = port;
      // RTCP comes to the port after RTP (RFC 3550 §11). Where that is the other leg's, its reports are told by SSRC.
      const rtcp = ingress[kind]?.rtcpPort ?? port + 1;
      if (rtcp !== port && rtcp < 65_536) {
        await open(kind, rtcp).catch((error: unknown) => {
          if (!(error instanceof Failure)) throw error;
        });
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { ports, sockets: sockets.length, close };
}

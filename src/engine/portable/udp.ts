import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { Failure } from '../../errors.ts';

/** Asked for; the system's own limit may be lower. Bytes. */
const RECEIVE_BUFFER = 4 << 20;

export type Receive = (datagram: Buffer, from: { address: string; port: number }) => void;

/** Opens a UDP port; 0 lets the system choose. Rejects with `address-in-use` or `engine-failed`. */
export async function openSocket(host: string, port: number, receive: Receive): Promise<Socket> {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', recvBufferSize: RECEIVE_BUFFER });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject).once('listening', resolve);
      socket.bind(port, host);
    });
  } catch (error) {
    socket.close();
    throw failure(error, port);
  }
  // An error is an ICMP message for something once sent from this port; reading goes on.
  socket.removeAllListeners('error').on('error', () => {});
  socket.on('message', receive);
  return socket.unref();
}

export function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.close(resolve));
}

function failure(cause: unknown, port: number): Failure {
  const code = cause instanceof Error && 'code' in cause ? cause.code : cause;
  if (code === 'EADDRINUSE') return new Failure('address-in-use', `UDP port ${port} is in use`, { cause });
  return new Failure('engine-failed', `cannot open UDP port ${port} (${code})`, { cause });
}

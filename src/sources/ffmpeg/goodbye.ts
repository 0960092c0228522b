import { createSocket } from 'node:dgram';
import { getLogger } from '@logtape/logtape';
import type { Output } from './command.ts';

const log = getLogger(['fetch-whep', 'ffmpeg']);

/**
 * Says in the name of an FFmpeg that is no more that its streams have left (RTCP BYE, RFC 3550 §6.6). Otherwise the
 * engine would take its successor for an intruder until the legs have been silent for a while.
 */
export function sayGoodbye(outputs: readonly Output[]): void {
  for (const { port, ssrc } of outputs) {
    const bye = new DataView(new ArrayBuffer(8));
    bye.setUint32(0, 0x81cb_0001);
    bye.setUint32(4, ssrc);
    const socket = createSocket('udp4');
    socket.on('error', (error) => {
      log.debug('no goodbye to port {port}: {error}', { port, error });
      socket.close();
    });
    socket.send(new Uint8Array(bye.buffer), port, '127.0.0.1', () => socket.close());
  }
}

import { Failure } from '../../errors.ts';
import type { Library, Listener } from './library.ts';
import { closeSocket, openSocket } from './udp.ts';

/** How long closing waits until the library has let go of the port. Milliseconds. */
const RELEASE_TIME = 2_000;

/** The one UDP port that all peers share. The listener keeps it open while there are none. */
export class MuxPort {
  /** Undefined: every interface. */
  readonly host: string | undefined;
  readonly port: number;
  readonly #listener: Listener;

  private constructor(host: string | undefined, port: number, listener: Listener) {
    this.host = host;
    this.port = port;
    this.#listener = listener;
  }

  /** Port 0 lets the system choose. Rejects with `address-in-use`. */
  static async open(library: Library, host: string | undefined, wanted: number): Promise<MuxPort> {
    // The library says only that it failed, and not on standard error alone.
    const port = await probe(host, wanted);
    try {
      return new MuxPort(host, port, new library.IceUdpMuxListener(port, host));
    } catch (cause) {
      throw new Failure('address-in-use', `UDP port ${port} is in use`, { cause });
    }
  }

  /** Frees the port. Close the peers first. */
  async close(): Promise<void> {
    this.#listener.stop();
    const deadline = performance.now() + RELEASE_TIME;
    while (performance.now() < deadline && !(await isFree(this.host, this.port))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Binds as the library will and lets go again; gives the port's number. */
async function probe(host: string | undefined, port: number): Promise<number> {
  const socket = await openSocket(host ?? '::', port, () => {}).catch((error: unknown) => {
    // A machine without IPv6.
    if (host !== undefined || (error instanceof Failure && error.code === 'address-in-use')) throw error;
    return openSocket('0.0.0.0', port, () => {});
  });
  const found = socket.address().port;
  await closeSocket(socket);
  return found;
}

async function isFree(host: string | undefined, port: number): Promise<boolean> {
  return probe(host, port).then(
    () => true,
    () => false,
  );
}

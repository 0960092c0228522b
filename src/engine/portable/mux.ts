import { Failure } from '../../errors.ts';
import type { DataChannel, Library, PeerConnection } from './library.ts';
import { closeSocket, openSocket } from './udp.ts';

/** How long closing waits until the library has let go of the port. Milliseconds. */
const RELEASE_TIME = 2_000;

/**
 * The one UDP port that all peers share. The library opens it with its first peer and closes it with the last, so one
 * that never connects keeps it.
 */
export class MuxPort {
  readonly #library: Library;
  /** Undefined: every interface. */
  readonly #host: string | undefined;
  readonly #port: number;
  readonly #holder: PeerConnection;
  readonly #channel: DataChannel;

  /** Throws `address-in-use`. */
  private constructor(library: Library, host: string | undefined, port: number) {
    this.#library = library;
    this.#host = host;
    this.#port = port;
    this.#holder = this.connect('port', () => {});
    try {
      this.#channel = this.#holder.createDataChannel('port');
      this.#channel.onClosed(() => {});
    } catch (cause) {
      this.#holder.close();
      throw new Failure('address-in-use', `UDP port ${port} is in use`, { cause });
    }
  }

  /** Port 0 lets the system choose. Rejects with `address-in-use`. */
  static async open(library: Library, host: string | undefined, wanted: number): Promise<MuxPort> {
    return new MuxPort(library, host, await probe(host, wanted));
  }

  /** A new peer on this port. It negotiates by itself: the library's explicit calls would end the process on failure. */
  connect(name: string, stateChanged: (state: string) => void): PeerConnection {
    const connection = new this.#library.PeerConnection(name, {
      iceServers: [],
      enableIceUdpMux: true,
      portRangeBegin: this.#port,
      portRangeEnd: this.#port,
      ...(this.#host !== undefined && { bindAddress: this.#host }),
      forceMediaTransport: true,
    });
    connection.onStateChange(stateChanged);
    return connection;
  }

  /** Frees the port. Close the peers first. */
  async close(): Promise<void> {
    this.#channel.close();
    this.#holder.close();
    const deadline = performance.now() + RELEASE_TIME;
    while (!(await this.#isFree()) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async #isFree(): Promise<boolean> {
    return probe(this.#host, this.#port).then(
      () => true,
      () => false,
    );
  }
}

/** Binds as the library will and lets go again; gives the port's number. The library says only that it failed. */
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

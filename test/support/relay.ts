import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export interface RelayTerms {
  /** Where it listens, and sends from. */
  address: string;
  /** One way, in milliseconds. */
  delay: number;
  /** Datagrams of a hundred that it drops, each way; the same ones for the same seed. */
  lossPercent: number;
  seed: number;
}

/** A UDP line with a delay and losses, between any number of clients and one server. */
export class Relay {
  readonly #terms: RelayTerms;
  readonly #front: Socket;
  /** What each client's datagrams leave from, by the client's address. */
  readonly #backs = new Map<string, Promise<Socket>>();
  /** What they left from before. */
  readonly #forgotten: Promise<Socket>[] = [];
  /** On the way, in the order they came. */
  readonly #line: { due: number; send: () => void }[] = [];
  #random: number;
  #timer: NodeJS.Timeout | undefined;
  #server: { address: string; port: number } | undefined;

  private constructor(terms: RelayTerms, front: Socket) {
    this.#terms = terms;
    this.#front = front;
    this.#random = terms.seed;
    front.on('message', (datagram, { address, port }) => {
      this.#carry(() => void this.#forward(datagram, address, port));
    });
  }

  static async open(terms: RelayTerms): Promise<Relay> {
    return new Relay(terms, await bound(terms.address));
  }

  get port(): number {
    return this.#front.address().port;
  }

  /** Where clients' datagrams go from now on. */
  lead(address: string, port: number): void {
    this.#server = { address, port };
  }

  /** As a NAT that forgets: datagrams leave from other ports from now on, and what comes to the old ones is lost. */
  async rebind(): Promise<void> {
    const backs = [...this.#backs.values()];
    this.#backs.clear();
    this.#forgotten.push(...backs);
    for (const back of backs) (await back).removeAllListeners('message');
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#line.length = 0;
    this.#front.close();
    for (const back of [...this.#backs.values(), ...this.#forgotten]) (await back).close();
  }

  async #forward(datagram: Buffer, address: string, port: number): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    const client = `${address} ${port}`;
    const known = this.#backs.get(client);
    const opening = known ?? bound(this.#terms.address);
    this.#backs.set(client, opening);
    const back = await opening;
    if (known === undefined) {
      back.on('message', (answer) => this.#carry(() => this.#front.send(answer, port, address)));
    }
    back.send(datagram, server.port, server.address);
  }

  #carry(send: () => void): void {
    if (this.#chance() < this.#terms.lossPercent) return;
    this.#line.push({ due: performance.now() + this.#terms.delay, send });
    this.#timer ??= setTimeout(() => this.#deliver(), this.#terms.delay);
  }

  #deliver(): void {
    this.#timer = undefined;
    const now = performance.now();
    // A timer is exact to a millisecond at best.
    while (this.#line[0] !== undefined && this.#line[0].due <= now + 0.5) this.#line.shift()?.send();
    const next = this.#line[0];
    if (next !== undefined) this.#timer = setTimeout(() => this.#deliver(), Math.max(1, next.due - now));
  }

  /** 0 to 100; a linear congruential generator (Numerical Recipes). */
  #chance(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return (this.#random / 2 ** 32) * 100;
  }
}

async function bound(address: string): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

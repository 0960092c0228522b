import type { ServerOptions } from '../../../src/index.ts';
import { offers } from '../offers.ts';

const PASSWORD = /^a=ice-pwd:(.*?)\r?$/gm;

/** What a server's log must not hold, of all that its options, requests and responses have held. */
export class Secrets {
  readonly #known: Set<string>;

  constructor({ token, adminToken, turn, iceServers }: ServerOptions) {
    const credentials = typeof iceServers === 'object' ? iceServers.map(({ credential }) => credential) : [];
    const own = [token, adminToken, turn?.secret, ...credentials].filter((each) => each !== undefined);
    // Clients of the contract offer what is in the corpus.
    this.#known = new Set([...own, ...offers.flatMap(({ sdp }) => passwords(sdp))]);
  }

  /** Sends a request and notes what must stay between the two. */
  async fetch(request: Request): Promise<Response> {
    this.#note(/^Bearer (\S+)$/i, request.headers.get('authorization'));
    const response = await fetch(request);
    // The last part of a session's path is its id, and that of its events another.
    this.#note(/\/([\w-]{22})$/, response.headers.get('location'));
    this.#note(/credential="([^"]+)"/, response.headers.get('link'));
    if (response.headers.get('content-type') === 'application/sdp') {
      for (const password of passwords(await response.clone().text())) this.#known.add(password);
    }
    return response;
  }

  /** Those that are in a text. */
  in(text: string): string[] {
    return [...this.#known].filter((secret) => text.includes(secret));
  }

  #note(pattern: RegExp, text: string | null): void {
    const [, secret] = pattern.exec(text ?? '') ?? [];
    if (secret !== undefined) this.#known.add(secret);
  }
}

function passwords(sdp: string): string[] {
  return [...sdp.matchAll(PASSWORD)].map(([, password = '']) => password);
}

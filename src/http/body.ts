import { collect } from '../collect.ts';
import { Failure } from '../errors.ts';

/** Bodies that are being read at once. Past it, the slowest makes room for who comes. */
const AT_ONCE = 256;
/** No body has to make room before. Milliseconds. */
const FAIR_TIME = 1000;

const READ = 'it was read already: let no body parser take it before this handler does';

interface Reading {
  readonly since: number;
  stop(): void;
}

/** Reads the bodies of requests, and holds little of them, however many come and however slowly. */
export class Bodies {
  readonly #seconds: number;
  /** The oldest first. */
  readonly #readings = new Set<Reading>();

  /** `seconds` is what the last byte of a body may take. */
  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /**
   * The body as text. Never holds more than `size` bytes, whatever `Content-Length` says and however small the chunks.
   * Rejects with `body-too-large` or `body-unreadable`.
   */
  async read(request: Request, size: number): Promise<string> {
    // A cheap refusal only: the bytes are counted all the same.
    if (Number(request.headers.get('content-length')) > size) throw tooLarge(size);
    if (request.body === null) return '';
    if (request.bodyUsed || request.body.locked) throw unreadable(READ);
    const reader = request.body.getReader();
    let tooSlow: string | undefined;
    const stop = (reason: string) => {
      tooSlow = reason;
      reader.cancel().catch(() => {});
    };
    const late = () => stop(`it took longer than ${this.#seconds} s`);
    const reading = { since: performance.now(), stop: () => stop('it came too slowly while many others wait') };
    const timer = setTimeout(late, this.#seconds * 1000).unref();
    this.#makeRoom();
    this.#readings.add(reading);
    try {
      const bytes = await collect(reader, size);
      if (bytes === undefined) throw tooLarge(size);
      if (tooSlow !== undefined) throw unreadable(tooSlow);
      if (bytes.length === 0 && Number(request.headers.get('content-length')) > 0) throw unreadable(READ);
      // A byte order mark is no `v=`: it stays visible.
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw unreadable(tooSlow ?? (isUsed(error) ? READ : 'the connection failed'), error);
    } finally {
      this.#readings.delete(reading);
      clearTimeout(timer);
      reader.cancel().catch(() => {});
    }
  }

  #makeRoom(): void {
    for (const oldest of this.#readings) {
      if (this.#readings.size < AT_ONCE || performance.now() - oldest.since < FAIR_TIME) return;
      this.#readings.delete(oldest);
      oldest.stop();
    }
  }
}

/** What reading a body again comes to, in the words of runtimes and of srvx. */
function isUsed(error: unknown): boolean {
  return error instanceof TypeError && /already (been )?(read|used)|unusable|disturbed/i.test(error.message);
}

function tooLarge(limit: number): Failure {
  return new Failure('body-too-large', `read body: more than ${limit} bytes`);
}

function unreadable(reason: string, cause?: unknown): Failure {
  return new Failure('body-unreadable', `read body: ${reason}`, { cause });
}

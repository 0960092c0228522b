import type { Buffer } from 'node:buffer';

/** Reading past the end, or a number that makes no sense. */
export class BitsError extends Error {}

/** Reads a raw byte sequence payload, passing over emulation prevention bytes (ITU-T H.264 §7.3.1, §9.1). */
export class Bits {
  readonly #bytes: Buffer;
  #at: number;
  #bit = 0;
  #zeros = 0;

  /** Begins at byte `at`. */
  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Throws a `BitsError` past the end, as all the others do. */
  flag(): boolean {
    if (this.#bit === 0 && this.#zeros >= 2 && this.#bytes[this.#at] === 3) {
      this.#at++;
      this.#zeros = 0;
    }
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new BitsError();
    const value = (byte >> (7 - this.#bit)) & 1;
    this.#bit = (this.#bit + 1) % 8;
    if (this.#bit === 0) {
      this.#at++;
      this.#zeros = byte === 0 ? this.#zeros + 1 : 0;
    }
    return value === 1;
  }

  /** At most 32. */
  bits(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index++) value = value * 2 + (this.flag() ? 1 : 0);
    return value;
  }

  /** ue(v) */
  unsigned(): number {
    let zeros = 0;
    while (!this.flag()) if (++zeros > 31) throw new BitsError();
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** se(v) */
  signed(): number {
    const code = this.unsigned();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}

/** What `read` gives; undefined when the bits end early. */
export function whole<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof BitsError) return undefined;
    throw error;
  }
}

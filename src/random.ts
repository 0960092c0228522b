import { Buffer } from 'node:buffer';

/** 128 bits of the system's CSPRNG as 22 characters of base64url: what may serve as a capability (RFC 9725 §5). */
export function randomId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url');
}

/** An RTP synchronization source, never 0 (RFC 3550 §8.1 asks for a random one). */
export function randomSsrc(): number {
  const [value = 0] = crypto.getRandomValues(new Uint32Array(1));
  return value === 0 ? randomSsrc() : value;
}

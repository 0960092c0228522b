import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Certificate chain and private key in PEM: the text itself, or the path of a file that holds it. */
export interface Tls {
  cert: string;
  key: string;
}

/** What is wrong with one of the two, and what to give instead. */
export interface TlsFault {
  of: keyof Tls;
  cure: string;
}

/** Both as text. Throws what the file system says. */
export function readTls({ cert, key }: Tls): Tls {
  return { cert: pemOf(cert), key: pemOf(key) };
}

/** Of texts that do not belong together, or are none: what a runtime says of them, if anything, depends on the runtime. */
export function faultOf({ cert, key }: Tls): TlsFault | undefined {
  const certificate = attempt(() => new X509Certificate(cert));
  if (certificate === undefined)
    return { of: 'cert', cure: 'give a certificate chain in PEM, that of the server first' };
  const secret = attempt(() => createPrivateKey(key));
  if (secret === undefined) return { of: 'key', cure: 'give a private key in PEM, without a passphrase' };
  if (!certificate.checkPrivateKey(secret)) return { of: 'key', cure: 'it is not the key of the certificate' };
  return undefined;
}

/** From the first block on, since srvx takes what does not begin with one for a path. */
function pemOf(textOrPath: string): string {
  const begin = '-----BEGIN ';
  const text = textOrPath.includes(begin) ? textOrPath : readFileSync(textOrPath, 'utf8');
  return text.slice(Math.max(0, text.indexOf(begin)));
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

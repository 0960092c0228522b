import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { UsageError } from './arguments.ts';
import { readText } from './config-file.ts';

/** Paths of PEM files. */
export interface TlsFiles {
  cert: string;
  key: string;
}

/**
 * Both files, read and found to belong together: what a runtime says of them, if anything, depends on the runtime. Throws a
 * `UsageError`; `nameOf` gives what the user calls an option.
 */
export function checkTls(
  cert: string | undefined,
  key: string | undefined,
  nameOf: (option: string) => string,
): TlsFiles | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined) throw new UsageError(`${nameOf('tlsKey')}: give the certificate as well (--tls-cert)`);
  if (key === undefined) throw new UsageError(`${nameOf('tlsCert')}: give the key as well (--tls-key)`);
  const certificate = readCertificate(cert, nameOf('tlsCert'));
  if (!certificate.checkPrivateKey(readKey(key, nameOf('tlsKey')))) {
    throw new UsageError(`${nameOf('tlsKey')} ${key}: is not the key of the certificate in ${cert}`);
  }
  return { cert, key };
}

/** The first certificate of a file, which is the server's own. Throws a `UsageError`. */
export function readCertificate(path: string, name: string): X509Certificate {
  const text = readText(path, name);
  try {
    return new X509Certificate(text);
  } catch {
    throw new UsageError(`${name} ${path}: give a certificate chain in PEM, that of the server first`);
  }
}

function readKey(path: string, name: string): KeyObject {
  const text = readText(path, name);
  try {
    return createPrivateKey(text);
  } catch {
    throw new UsageError(`${name} ${path}: give a private key in PEM, without a passphrase`);
  }
}

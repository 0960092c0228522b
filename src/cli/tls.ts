import { faultOf, readTls, type Tls } from '../tls.ts';
import { UsageError } from './arguments.ts';
import { readText } from './config-file.ts';

/** Certificate chain and private key, read. */
export interface TlsFiles extends Tls {
  /** Where they were read. */
  paths: Tls;
}

/** Both files, read and found to belong together. Throws a `UsageError`; `nameOf` gives what the user calls an option. */
export function readTlsFiles(
  cert: string | undefined,
  key: string | undefined,
  nameOf: (option: string) => string,
): TlsFiles | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined) throw new UsageError(`${nameOf('tlsKey')}: give the certificate as well (--tls-cert)`);
  if (key === undefined) throw new UsageError(`${nameOf('tlsCert')}: give the key as well (--tls-key)`);
  const texts = { cert: readText(cert, nameOf('tlsCert')), key: readText(key, nameOf('tlsKey')) };
  const fault = faultOf(texts);
  if (fault?.of === 'cert') throw new UsageError(`${nameOf('tlsCert')} ${cert}: ${fault.cure}`);
  if (fault?.of === 'key') throw new UsageError(`${nameOf('tlsKey')} ${key}: ${fault.cure}`);
  return { ...readTls(texts), paths: { cert, key } };
}

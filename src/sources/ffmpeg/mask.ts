/** `text` without the user names, passwords and query strings of URLs. */
export function masked(text: string): string {
  return text.replace(
    // A password may hold an @: the last one before the path ends it, as FFmpeg reads it.
    /([a-z][a-z0-9+.-]+:\/\/)([^\s/?#]*@)?([^\s?#'"]*)(\?(?:[^\s#'":]|:(?=[^\s'"]))*)?/gi,
    (_, scheme, user, rest, query) => `${scheme}${user ? '***@' : ''}${rest}${query ? '?***' : ''}`,
  );
}

/** Options whose values are secrets, or hold some. */
const secretive = /pass|key|secret|token|auth|user|header|cookie/i;

/** Parts of a secret that are masked by themselves have this many characters at least: others are words like "Basic". */
const telling = 8;

/** Masks URLs, and the values of secret options wherever they come up, whole or word by word. */
export function maskFor(args: readonly string[]): (text: string) => string {
  const values = args.filter((each, index) => each !== '' && secretive.test(args[index - 1] ?? ''));
  const words = values.flatMap((value) => value.split(/\s+/)).filter((word) => word.length >= telling);
  // The longest first, since one may begin like another.
  const secrets = [...values, ...words].sort((one, other) => other.length - one.length);
  return (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), masked(text));
}

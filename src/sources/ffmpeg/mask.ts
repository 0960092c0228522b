/** The patterns here look at each run of characters once: the time is linear in the length of the text. */
const urls = /(?<![a-z0-9+.-])[a-z0-9+.-]+:\/\/[^\s'"]*/gi;

/** `text` with the URLs in it reduced to scheme, host and the beginning of each part of the path. */
export function masked(text: string): string {
  return text.replace(urls, (found) => {
    const [punctuation = ''] = /(?<![:;,.)])[:;,.)]*$/.exec(found) ?? [];
    return `${maskedUrl(found.slice(0, found.length - punctuation.length))}${punctuation}`;
  });
}

function maskedUrl(text: string): string {
  if (!URL.canParse(text)) return text.replace(/:\/\/.*/s, '://***');
  const { protocol, username, password, host, pathname, search } = new URL(text);
  if (protocol === 'file:') return text;
  const user = username || password ? '***@' : '';
  const path = pathname.split('/').map((part) => (isTelling(part) ? `${part.slice(0, 3)}***` : part));
  // The last part of an RTMP path is the key of the stream, however short.
  if (protocol.startsWith('rtmp') && path.length > 2) path.splice(-1, 1, '***');
  return `${protocol}//${user}${host}${pathname === '/' ? '' : path.join('/')}${search ? '?***' : ''}`;
}

/**
 * Parts of a secret that are masked by themselves are this long: others are words like "Basic". So are parts of a path:
 * they may be what lets somebody in.
 */
function isTelling(word: string): boolean {
  return word.length >= 8;
}

/** Options whose values are secrets, or hold some. */
const secretive = /pass|key|secret|token|auth|user|header|cookie/i;

/** Masks URLs, and what is secret in `input` and in the values of options wherever it comes up, whole or word by word. */
export function maskFor(args: readonly string[], input = ''): (text: string) => string {
  const values = args.filter((each, index) => each !== '' && secretive.test(args[index - 1] ?? ''));
  const words = [...values.flatMap((value) => value.split(/\s+/)), ...hiddenIn(input)].filter(isTelling);
  // The longest first, since one may begin like another.
  const secrets = [...new Set([...values, ...words])].sort((one, other) => other.length - one.length);
  return (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), masked(text));
}

/** What `masked` takes out of a URL, as it is there: programs say it in other places too. */
function hiddenIn(input: string): string[] {
  if (!/^(?!file:)[a-z][a-z0-9+.-]+:\/\//i.test(input) || !URL.canParse(input)) return [];
  const { username, password, pathname, searchParams } = new URL(input);
  return [username, password, ...pathname.split('/'), ...searchParams.values()];
}

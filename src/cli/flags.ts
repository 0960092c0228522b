import { parseArgs } from 'node:util';

/** A wrong command line or config file; `message` is one line that says what to write instead. */
export class UsageError extends Error {}

interface Flag {
  name: string;
  /** What the value is called in the help text. */
  value: string;
  help: string;
  /** How the text of the value is read; as it is by default. */
  read?: (text: string) => unknown;
  /** Given more than once it makes a list. */
  repeatable?: boolean;
  /** Its name in the config file and in `createServer`, where it is not the flag's own in camel case. */
  key?: string;
}

const number = (text: string) => (/^\d+$/.test(text) ? Number(text) : text);

/** The options of `serve`: command line, config file and help text are made from this table. */
export const FLAGS: readonly Flag[] = [
  { name: 'host', value: 'ADDR', help: 'address to listen on (default 127.0.0.1)' },
  { name: 'port', value: 'N', help: 'TCP port (default 8080; 0 = any)', read: number },
  { name: 'base-path', value: 'PATH', help: 'path prefix of every route (default /)' },
  { name: 'stream', value: 'ID=SOURCE', help: 'a stream and where it comes from', repeatable: true, key: 'streams' },
  { name: 'tls-cert', value: 'FILE', help: 'certificate chain in PEM; with --tls-key, serves https' },
  { name: 'tls-key', value: 'FILE', help: 'private key in PEM' },
  { name: 'media-host', value: 'ADDR', help: 'address for media (default: loopback if --host is, else all)' },
  { name: 'media-port', value: 'N', help: 'first UDP port for media to viewers (default 0 = any)', read: number },
  { name: 'announce', value: 'ADDR', help: 'a further address under which media is reached', repeatable: true },
  {
    name: 'ice-server',
    value: 'URI',
    help: 'STUN server told to clients',
    repeatable: true,
    key: 'iceServers',
    read: (urls) => ({ urls }),
  },
  { name: 'max-viewers', value: 'N', help: 'viewers in all (default 1000)', read: number },
  { name: 'max-viewers-per-stream', value: 'N|none', help: 'viewers of one stream (default 8)', read: number },
  { name: 'token', value: 'SECRET', help: 'bearer token to watch and publish (or FETCH_WHEP_TOKEN)' },
  { name: 'admin-token', value: 'SECRET', help: 'bearer token of /api; without it there is no /api' },
  { name: 'engine', value: 'auto|native|portable', help: 'what moves the media (default auto)' },
  { name: 'conformance', value: 'classic|draft', help: 'which contract to follow where they differ (default classic)' },
  { name: 'shards', value: 'N', help: 'sending threads (default: one per core)', read: number },
  { name: 'log-level', value: 'L', help: 'trace, debug, info, warning, error or fatal (default info)' },
  { name: 'log-format', value: 'pretty|json', help: 'how log lines on standard error look (default pretty)' },
  { name: 'config', value: 'FILE', help: 'options as JSON, named in camel case; the command line wins' },
];

export function keyOf({ name, key }: Flag): string {
  return key ?? name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** Values by key, as a config file would hold them. Throws a `UsageError`. */
export function parseFlags(args: readonly string[]): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const given = readArguments(args);
  for (const flag of FLAGS) {
    const texts = given[flag.name];
    if (texts === undefined) continue;
    const values = texts.map(flag.read ?? ((text: string) => text));
    found[keyOf(flag)] = flag.name === 'stream' ? streams(texts) : flag.repeatable ? values : values.at(-1);
  }
  return found;
}

function readArguments(args: readonly string[]): Record<string, string[] | undefined> {
  const options = Object.fromEntries(
    FLAGS.map(({ name }) => [name, { type: 'string' as const, multiple: true as const }]),
  );
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${text.split(/\.\s|\n/)[0]}: see fetch-whep serve --help`);
  }
}

function streams(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, id, source] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
      if (id === undefined || source === undefined) {
        throw new UsageError(`--stream ${text}: write ID=SOURCE, for example cam1=rtp:5004,5006`);
      }
      return [id, source];
    }),
  );
}

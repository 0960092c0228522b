import type { Action } from '../access.ts';
import { type Option, readArguments, UsageError } from './arguments.ts';
import { TOKENS } from './tokens.ts';

interface Flag extends Option {
  /** What the value is called in the help text. */
  value?: string;
  help: string;
  /** How the text of the value is read; as it is by default. */
  read?: (text: string) => unknown;
  /** Given more than once it makes a list. */
  repeatable?: boolean;
  /** Of `serve` alone; the others are for `doctor` too. */
  serveOnly?: boolean;
  /** Its name in the config file and in `createServer`, where it is not the flag's own in camel case. */
  key?: string;
}

const onOff = (text: string) => ({ on: true, off: false })[text] ?? text;
const number = (text: string) => (/^\d+$/.test(text) ? Number(text) : text);

const TOKEN_FOR: Record<Action, string> = {
  watch: 'to watch',
  publish: 'to publish',
  observe: 'for index, statistics and metrics',
  admin: 'of /api, which is not there without',
};

const TOKEN_FLAGS = TOKENS.flatMap(({ action, flag, variable }): Flag[] => [
  { name: flag, value: 'SECRET', help: `bearer token ${TOKEN_FOR[action]} (or ${variable})` },
  { name: `${flag}-file`, value: 'FILE', help: 'the same, from the first line of a file' },
]);

/** The options of `serve`: command line, config file and help text are made from this table. */
export const FLAGS: readonly Flag[] = [
  { name: 'host', value: 'ADDR', help: 'address to listen on (default 127.0.0.1)' },
  { name: 'port', value: 'N', help: 'TCP port (default 8080; 0 = any)', read: number },
  { name: 'base-path', value: 'PATH', help: 'public path prefix of every route (default /)' },
  {
    name: 'base-path-stripped',
    value: 'on|off',
    help: 'a proxy in front takes that prefix away (default off)',
    read: onOff,
  },
  {
    name: 'trusted-proxy',
    value: 'ADDR|NETWORK',
    help: 'a proxy that says by (X-)Forwarded headers who asks',
    repeatable: true,
    key: 'trustedProxies',
  },
  { name: 'stream', value: 'ID=SOURCE', help: 'a stream and where it comes from', repeatable: true, key: 'streams' },
  { name: 'tls-cert', value: 'FILE', help: 'certificate chain in PEM; with --tls-key, serves https' },
  { name: 'tls-key', value: 'FILE', help: 'private key in PEM' },
  {
    name: 'media-host',
    value: 'ADDR',
    help: 'address for media (default: loopback if --host is and no proxy is trusted, else all)',
  },
  { name: 'media-port', value: 'N', help: 'first UDP port for media to viewers (default 0 = any)', read: number },
  { name: 'announce', value: 'ADDR', help: 'a further address under which media is reached', repeatable: true },
  {
    name: 'ice-checks',
    value: 'client|both',
    help: 'who begins ICE checks; both for a server behind NAT (default client)',
  },
  {
    name: 'ice-server',
    value: 'URI',
    help: 'STUN server told to clients',
    repeatable: true,
    key: 'iceServers',
    read: (urls) => ({ urls }),
  },
  { name: 'max-viewers', value: 'N', help: 'viewers in all (default 1000)', read: number },
  {
    name: 'max-viewers-per-stream',
    value: 'N|none',
    help: 'viewers of one stream (default: 8 if classic, none if draft)',
    read: number,
  },
  {
    name: 'codecs',
    value: 'LIST',
    help: 'what publishers may send, in order of preference (default: all, h264 and opus first)',
    read: (text) => text.split(','),
  },
  ...TOKEN_FLAGS,
  { name: 'open', value: 'watch|publish|observe', help: 'what needs no token although others do', repeatable: true },
  {
    name: 'admin-sources',
    value: 'LIST',
    help: 'sources that /api may add (default rtp,sdp,whip,whep,push,clip)',
    read: (text) => text.split(','),
  },
  { name: 'engine', value: 'auto|native|portable', help: 'what moves the media (default auto)' },
  {
    name: 'conformance',
    value: 'classic|draft',
    help: 'which statuses and rules clients get, see below (default classic)',
  },
  {
    name: 'strict-profiles',
    value: 'on|off',
    help: 'refuse viewers that do not offer the H264 profile of the stream (default off)',
    read: onOff,
  },
  { name: 'shards', value: 'N', help: 'sending threads (default: one per core)', read: number },
  { name: 'log-level', value: 'L', help: 'trace, debug, info, warning, error or fatal (default info)' },
  { name: 'log-format', value: 'pretty|json', help: 'how log lines on standard error look (default pretty)' },
  {
    name: 'config',
    value: 'FILE',
    help: 'options as JSON, named in camel case; the command line wins; SIGHUP reloads',
  },
  {
    name: 'print-config',
    bare: true,
    serveOnly: true,
    help: 'print the configuration that results, without secrets, and end',
  },
];

export function keyOf({ name, key }: Flag): string {
  return key ?? name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** Values by key, as a config file would hold them. Throws a `UsageError`. */
export function parseFlags(args: readonly string[], command: string, more: readonly Option[]): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const flags = FLAGS.filter(({ serveOnly }) => !serveOnly || command === 'serve');
  const given = readArguments(args, [...flags, ...more], command);
  for (const flag of flags) {
    const texts = given.get(flag.name);
    if (texts === undefined) continue;
    const values = texts.map(flag.read ?? ((text: string) => text));
    const value = flag.bare ? true : flag.repeatable ? values : values.at(-1);
    found[keyOf(flag)] = flag.name === 'stream' ? streams(texts) : value;
  }
  for (const { name } of more) if (given.has(name)) found[name] = true;
  return found;
}

/** A line for each option. */
export function flagsHelp(): string {
  return columns(
    FLAGS.map(({ name, value, help, repeatable }) => [
      value === undefined ? `--${name}` : `--${name} ${value}`,
      `${help}${repeatable ? '; repeatable' : ''}`,
    ]),
  );
}

/** Names and what they mean, indented and below each other. */
export function columns(rows: readonly (readonly [left: string, right: string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n');
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

import * as z from 'zod';
import { Failure, OPTION_NAMES, parseOptions, type ServerOptions, type Settings } from '../index.ts';
import { isLoopback } from '../loopback.ts';
import { noSuchOption } from '../nearest.ts';
import { isNetwork, NETWORK } from '../proxies.ts';
import { type Option, UsageError } from './arguments.ts';
import { readConfig } from './config-file.ts';
import { FLAGS, keyOf, parseFlags } from './flags.ts';
import { readTlsFiles, type TlsFiles } from './tls.ts';
import { givenTokens, TOKENS } from './tokens.ts';

/** What `serve` needs for itself; the rest goes to `createServer`, which checks it. */
const own = z.looseObject({
  host: z.string('give an address of this machine').min(1, 'give an address of this machine').default('127.0.0.1'),
  port: z.int('give a TCP port from 0 to 65535').min(0).max(65535, 'give a TCP port from 0 to 65535').default(8080),
  tlsCert: z.string('give the path of a PEM file').optional(),
  tlsKey: z.string('give the path of a PEM file').optional(),
  trustedProxies: z.array(z.string(NETWORK).refine(isNetwork, NETWORK), `${NETWORK}, in a list`).default([]),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warning', 'error', 'fatal'], 'give trace, debug, info, warning, error or fatal')
    .default('info'),
  logFormat: z.enum(['pretty', 'json'], 'give pretty or json').default('pretty'),
});

const TOKEN_FILES = TOKENS.map(({ file }) => file);
const KNOWN = [...Object.keys(own.shape), ...TOKEN_FILES, ...OPTION_NAMES];

export interface Configuration
  extends Required<Pick<z.output<typeof own>, 'host' | 'port' | 'trustedProxies' | 'logLevel' | 'logFormat'>> {
  tls: TlsFiles | undefined;
  /** Paths of the files that hold tokens, by option: `tokenFile` and so on. */
  tokenFiles: Readonly<Record<string, string>>;
  /** For `createServer`, as they were written. */
  server: ServerOptions;
  /** The same, checked and with every default. */
  settings: Settings;
  /** Paths of everything that was read. */
  files: readonly string[];
  /** Whether an option without a value was given. */
  has(name: string): boolean;
  /** What the user calls an option: the flag, or the file and the key in it. */
  nameOf(path: string): string;
}

/** The command line over the config file over the environment. `more` are options of `command` alone. Throws a `UsageError`. */
export function configure(args: readonly string[], command = 'serve', more: readonly Option[] = []): Configuration {
  const given = parseFlags(args, command, more);
  const bare = new Set([...FLAGS.filter((flag) => flag.bare).map(keyOf), ...more.map(({ name }) => name)]);
  const { config, ...flags } = Object.fromEntries(Object.entries(given).filter(([key]) => !bare.has(key)));
  const path = typeof config === 'string' ? config : undefined;
  const file = path === undefined ? {} : readConfig(path);
  const nameIn = naming(path, flags);
  checkNames(file, nameIn);
  const { tokens, files: tokenFiles, names } = givenTokens(flags, file, nameIn);
  const nameOf = (option: string) => names.get(option) ?? nameIn(option);
  const streams = { ...streamsOf(file, nameOf), ...streamsOf(flags, nameOf) };
  const parsed = own.safeParse({ ...withoutTokens({ ...file, ...flags }), ...tokens, streams });
  if (!parsed.success) {
    const lines = parsed.error.issues.map(({ path, message }) => `${nameOf(path.join('.'))}: ${message}`);
    throw new UsageError(lines.join('\n'));
  }
  const { host, port, tlsCert, tlsKey, trustedProxies, logLevel, logFormat, ...rest } = parsed.data;
  // Without a word about streams there is something to see.
  const demo = path === undefined && flags.streams === undefined ? { streams: { demo: 'clip' } } : {};
  const server: ServerOptions = { ...media(host, trustedProxies), ...rest, ...demo };
  return {
    host,
    port,
    trustedProxies,
    logLevel,
    logFormat,
    tls: readTlsFiles(tlsCert, tlsKey, nameOf),
    tokenFiles,
    server,
    settings: checked(nameOf, () => parseOptions(server)),
    files: [path, tlsCert, tlsKey, ...Object.values(tokenFiles)].filter((each) => each !== undefined),
    has: (name) => Object.hasOwn(given, name),
    nameOf,
  };
}

/** What it comes to, with every default, by the names of a config file. */
export function effective(configuration: Configuration): Record<string, unknown> {
  const { host, port, trustedProxies, tls, tokenFiles, logLevel, logFormat, settings } = configuration;
  const files = tls && { tlsCert: tls.paths.cert, tlsKey: tls.paths.key };
  const inFiles = TOKENS.filter(({ file }) => Object.hasOwn(tokenFiles, file)).map(({ option }) => [option, undefined]);
  const all = { host, port, trustedProxies, ...files, logLevel, logFormat, ...settings, ...tokenFiles };
  return { ...all, ...Object.fromEntries(inFiles), basePath: settings.basePath || '/' };
}

/** Options that are wrong, as the user calls them. Throws a `UsageError` instead of the failure. */
export function renamed(error: unknown, nameOf: (path: string) => string): unknown {
  if (!(error instanceof Failure) || error.code !== 'invalid-options') return error;
  return new UsageError(error.message.replaceAll(/^options\.([^:\s]+)/gm, (_, path: string) => nameOf(path)));
}

function checked<T>(nameOf: (path: string) => string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw renamed(error, nameOf);
  }
}

function naming(path: string | undefined, flags: Record<string, unknown>) {
  return (option: string): string => {
    const [key = '', ...below] = option.split('.');
    const flag = FLAGS.find((each) => keyOf(each) === key);
    // Streams come from both places: each is called by where it was written.
    const stream = key === 'streams' ? below[0] : undefined;
    if (flag !== undefined && stream !== undefined && Object.hasOwn(streamsIn(flags), stream))
      return `--${flag.name} ${stream}`;
    if (flag !== undefined && stream === undefined && Object.hasOwn(flags, key)) return `--${flag.name}`;
    return path === undefined ? option : `${path}: ${option}`;
  };
}

/** Every unknown name at once. */
function checkNames(file: Record<string, unknown>, nameOf: (path: string) => string): void {
  const faults = Object.keys(file)
    .filter((key) => !KNOWN.includes(key))
    .map((key) => `${nameOf(key)}: ${noSuchOption(key, KNOWN)}`);
  if (faults.length > 0) throw new UsageError(faults.join('\n'));
}

function withoutTokens(options: Record<string, unknown>): Record<string, unknown> {
  const names = TOKENS.flatMap(({ option, file }) => [option as string, file]);
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
}

/** Whether who asks may be elsewhere: what a proxy passes on comes from wherever that is reached. */
export function isReached({ host, trustedProxies }: Pick<Configuration, 'host' | 'trustedProxies'>): boolean {
  return !isLoopback(host) || trustedProxies.length > 0;
}

/** Media stays on this machine when HTTP does. */
function media(host: string, trustedProxies: string[]): Pick<ServerOptions, 'mediaHost'> {
  if (isReached({ host, trustedProxies })) return {};
  return { mediaHost: host === 'localhost' ? '127.0.0.1' : host };
}

function streamsOf(options: Record<string, unknown>, nameOf: (path: string) => string): Record<string, unknown> {
  const { streams } = options;
  if (streams === undefined) return {};
  if (typeof streams !== 'object' || streams === null || Array.isArray(streams)) {
    throw new UsageError(`${nameOf('streams')}: give an object of streams by id, such as { "cam1": "rtp:5004,5006" }`);
  }
  return { ...streams };
}

function streamsIn({ streams }: Record<string, unknown>): object {
  return typeof streams === 'object' && streams !== null ? streams : {};
}

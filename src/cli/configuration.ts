import { readFileSync } from 'node:fs';
import process from 'node:process';
import * as z from 'zod';
import type { ServerOptions } from '../index.ts';
import { FLAGS, keyOf, parseFlags, UsageError } from './flags.ts';

/** What `serve` needs for itself; the rest goes to `createServer`, which checks it. */
const own = z.looseObject({
  host: z.string('give an address of this machine').min(1).default('127.0.0.1'),
  port: z.int('give a TCP port from 0 to 65535').min(0).max(65535, 'give a TCP port from 0 to 65535').default(8080),
  tlsCert: z.string('give the path of a PEM file').optional(),
  tlsKey: z.string('give the path of a PEM file').optional(),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warning', 'error', 'fatal'], 'give trace, debug, info, warning, error or fatal')
    .default('info'),
  logFormat: z.enum(['pretty', 'json'], 'give pretty or json').default('pretty'),
});

type Own = z.output<typeof own>;

export interface Configuration extends Pick<Own, 'host' | 'port' | 'logLevel' | 'logFormat'> {
  tls: { cert: string; key: string } | undefined;
  server: ServerOptions;
  /** What the user calls an option: the flag, or the file and the key in it. */
  nameOf(path: string): string;
}

/** The command line over the config file over the environment. Throws a `UsageError`. */
export function configure(args: readonly string[]): Configuration {
  const { config, ...flags } = parseFlags(args);
  const file = typeof config === 'string' ? readConfig(config) : {};
  const token = process.env.FETCH_WHEP_TOKEN;
  const merged = {
    ...(token && { token }),
    ...file,
    ...flags,
    streams: { ...streamsOf(file), ...streamsOf(flags) },
  };
  const nameOf = (path: string) => {
    const [key = ''] = path.split('.');
    const flag = FLAGS.find((each) => keyOf(each) === key);
    if (flag !== undefined && key in flags) return `--${flag.name}${path.slice(key.length).replace('.', ' ')}`;
    if (key === 'token' && !(key in file)) return 'FETCH_WHEP_TOKEN';
    return config === undefined ? path : `${config}: ${path}`;
  };
  const parsed = own.safeParse(merged);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UsageError(`${nameOf(issue?.path.join('.') ?? '')}: ${issue?.message}`);
  }
  // Without a word about streams there is something to see.
  const demo = config === undefined && flags.streams === undefined ? { streams: { demo: 'clip' } } : {};
  const { host, port, tlsCert, tlsKey, logLevel, logFormat, ...rest } = parsed.data;
  return {
    host,
    port,
    logLevel,
    logFormat,
    tls: tls(tlsCert, tlsKey),
    server: { ...media(host), ...rest, ...demo },
    nameOf,
  };
}

/** Media stays on this machine when HTTP does. */
function media(host: string): Pick<ServerOptions, 'mediaHost'> {
  if (host === 'localhost') return { mediaHost: '127.0.0.1' };
  return host === '::1' || /^127\./.test(host) ? { mediaHost: host } : {};
}

function streamsOf(options: Record<string, unknown>): Record<string, unknown> {
  const { streams } = options;
  return typeof streams === 'object' && streams !== null ? { ...streams } : {};
}

function readConfig(path: string): Record<string, unknown> {
  const parsed: unknown = parseJson(readText(path, '--config'), path);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(`--config ${path}: the file has to hold one JSON object`);
  }
  return { ...parsed };
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--config ${path}: not JSON (${error instanceof Error ? error.message : error})`);
  }
}

function tls(cert: string | undefined, key: string | undefined): { cert: string; key: string } | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new UsageError('--tls-cert and --tls-key go together: give both');
  readText(cert, '--tls-cert');
  readText(key, '--tls-key');
  return { cert, key };
}

function readText(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    throw new UsageError(`${flag} ${path}: cannot be read (${code})`);
  }
}

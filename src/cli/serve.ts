import process from 'node:process';
import { getLogger } from '@logtape/logtape';
import { createServer, type Server } from '../index.ts';
import { type Listener, serve } from '../serve.ts';
import { configure, renamed } from './configuration.ts';
import { exposure } from './exposure.ts';
import { flagsHelp } from './flags.ts';
import { logToStandardError } from './log.ts';
import { printed } from './print.ts';
import { Reloader } from './reload.ts';

const log = getLogger(['fetch-whep', 'serve']);

/** A server that is not closed by then never will be. Milliseconds. */
const CLOSING = 10_000;

/** Serves until SIGINT or SIGTERM; resolves with the exit code. Throws `UsageError` and `Failure`. */
export async function serveCommand(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(help());
    return 0;
  }
  const configuration = configure(args);
  if (configuration.has('printConfig')) {
    process.stdout.write(printed(configuration));
    return 0;
  }
  const stop = new Promise<'stop'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('stop'));
    // A terminal that is closed: only a server with a config file has another use for it.
    if (configuration.file === undefined) process.once('SIGHUP', () => resolve('stop'));
  });
  let reload = () => {};
  process.on('SIGHUP', () => reload());
  const { host, port, tls, logLevel, logFormat, server: options, nameOf } = configuration;
  logToStandardError(logLevel, logFormat);
  const warning = exposure(configuration);
  if (warning !== undefined) log.warn('{warning}', { warning });

  const server = await Promise.race([
    stop,
    createServer(options).catch((error: unknown) => {
      throw renamed(error, nameOf);
    }),
  ]);
  if (server === 'stop') return 0;
  const listener = await serve(server, { host, port, tls }).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  if (configuration.file !== undefined) {
    const reloader = new Reloader(server.streams, configuration, () => configure(args));
    reload = () => void reloader.reload();
  }
  announce(server, listener, configuration.settings.basePath);
  await stop;
  reload = () => {};
  return close(server, listener);
}

async function close(server: Server, listener: Listener): Promise<number> {
  const late = new Promise<number>((resolve) => {
    setTimeout(() => {
      process.stderr.write(`fetch-whep: not closed within ${CLOSING / 1000} s: ended all the same\n`);
      resolve(1);
    }, CLOSING);
  });
  return Promise.race([
    late,
    server
      .close()
      .finally(() => listener.close())
      .then(() => 0),
  ]);
}

/** Where everything is: a line of JSON for a program, a few lines for a person. */
function announce(server: Server, { url }: Listener, base: string): void {
  const { engine, runtime } = server.snapshot();
  const streams = [...server.streams];
  if (!process.stdout.isTTY) {
    const ports = Object.fromEntries(streams.map(({ id, ports }) => [id, ports]));
    process.stdout.write(`${JSON.stringify({ listening: url, engine, runtime, streams: ports })}\n`);
    return;
  }
  const reached = url.replace(/\/\/(0\.0\.0\.0|\[::\])/, '//localhost');
  const lines = streams.map(({ id, source, ports }) => {
    const legs = Object.entries(ports).map(([leg, port]) => `, ${leg} on UDP port ${port}`);
    return `  ${reached}${base}/play/${id}  (${source}${legs.join('')})`;
  });
  const what = lines.length > 0 ? 'Play:' : 'There is no stream yet.';
  process.stdout.write([`Listening on ${url}${base} (${engine} engine, ${runtime}). ${what}`, ...lines, ''].join('\n'));
}

function help(): string {
  return `Usage: fetch-whep serve [options]

Serves streams to browsers by WHEP until SIGINT or SIGTERM. Without --stream and --config: the built-in clip as "demo".

${flagsHelp()}

SOURCE is one of
  rtp:VIDEOPORT[,AUDIOPORT]  RTP that arrives on UDP ports (0 = choose and print)
  ffmpeg:INPUT               an FFmpeg process for a file, a URL or lavfi:GRAPH
  whep:URL                   a stream of another WHEP server, for a cascade
  whip                       a WHIP publisher
  push                       frames from the program that embeds the server
  clip                       the built-in clip, looped

On start one line of JSON tells a program where everything is; at a terminal the same is told to a person. SIGHUP reads
the config file again and changes the streams that it changes; viewers of the others notice nothing. Without a config
file SIGHUP ends the server.
Exit code 0: ended by a signal. 1: could not start or end. 2: the command line or the config file is wrong.
`;
}

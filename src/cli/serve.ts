import process from 'node:process';
import { getLogger } from '@logtape/logtape';
import { createServer, type Server } from '../index.ts';
import { type Listener, serve } from '../serve.ts';
import { type Configuration, configure, renamed } from './configuration.ts';
import { accessChecks } from './exposure.ts';
import { flagsHelp } from './flags.ts';
import { logToStandardError } from './log.ts';
import { keepHeapSmall } from './memory.ts';
import { printed } from './print.ts';
import { Reloader } from './reload.ts';
import { FileWatch } from './watch.ts';

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
    // A terminal that is closed: only a server that reads files has another use for it.
    if (configuration.files.length === 0) process.once('SIGHUP', () => resolve('stop'));
  });
  let reload = () => {};
  process.on('SIGHUP', () => reload());
  const { host, port, tls, trustedProxies, logLevel, logFormat, server: options, nameOf } = configuration;
  logToStandardError(logLevel, logFormat);
  tellAccess(configuration);
  keepHeapSmall();

  const server = await Promise.race([
    stop,
    createServer(options).catch((error: unknown) => {
      throw renamed(error, nameOf);
    }),
  ]);
  if (server === 'stop') return 0;
  const listener = await serve(server, { host, port, tls, trustedProxies }).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  let watch: FileWatch | undefined;
  if (configuration.files.length > 0) {
    const { streams, renewTokens } = server;
    const running = { streams, renewTokens, renewTls: listener.renewTls };
    const reloader = new Reloader(running, configuration, () => configure(args));
    reload = () => void reloader.reload();
    watch = new FileWatch(
      () => reloader.files,
      () => reloader.renew(),
    );
  }
  announce(server, listener, configuration.settings.basePath);
  await stop;
  reload = () => {};
  watch?.close();
  return close(server, listener);
}

function tellAccess(configuration: Configuration): void {
  for (const { verdict, found, cure } of accessChecks(configuration)) {
    if (verdict === 'ok') log.info('{found}', { found });
    else log.warn('{found}: {cure}', { found, cure });
  }
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
  rtp:VIDEOPORT[,AUDIOPORT]  RTP that arrives on UDP ports (0 = choose and print); rtp:5004/vp9,5006/pcmu names codecs
  sdp:FILE                   RTP as the SDP file of its sender tells: ports, codecs, parameters
  ffmpeg:INPUT               an FFmpeg process for a file, a URL or lavfi:GRAPH
  whep:URL                   a stream of another WHEP server, for a cascade
  whip                       a WHIP publisher
  push                       frames from the program that embeds the server
  clip                       the built-in clip, looped

A token for one thing closes what has neither a token nor --open. Files of tokens, certificate and key are read again
when they change, and so are the tokens of the config file.

--conformance classic is for clients that were written for older WHEP servers: an offer without H264 or Opus gets 406,
PATCH needs no If-Match, DELETE gets 204. draft follows draft-ietf-wish-whep to the letter: 422 or a partial answer, 428
without If-Match, 200, and 404 for a session that is gone.

On start one line of JSON tells a program where everything is; at a terminal the same is told to a person. SIGHUP reads
all files again and changes the streams that the config file changes; viewers of the others notice nothing. Of a server
that reads no file SIGHUP is the end.
Exit code 0: ended by a signal. 1: could not start or end. 2: the command line or the config file is wrong.
`;
}

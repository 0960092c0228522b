#!/usr/bin/env node
import process from 'node:process';
import { Failure } from '../index.ts';
import { benchCommand } from './bench.ts';
import { UsageError } from './flags.ts';
import { serveCommand } from './serve.ts';

const USAGE = `Usage: fetch-whep COMMAND [options]

Commands:
  serve    serve streams by WHEP; see fetch-whep serve --help
  bench    measure a server with many viewers; see fetch-whep bench --help
`;

async function main([command, ...args]: readonly string[]): Promise<number> {
  switch (command) {
    case 'serve':
      return serveCommand(args);
    case 'bench':
      return benchCommand(args);
    case '--help':
    case '-h':
      process.stdout.write(USAGE);
      return 0;
    default:
      throw new UsageError(
        `${command === undefined ? 'a command is missing' : `unknown command ${command}`}: see fetch-whep --help`,
      );
  }
}

/** 2: the command line or the config file is wrong. 1: it could not be done. */
function explain(error: unknown): number {
  const expected = error instanceof UsageError || error instanceof Failure;
  const text = error instanceof Error ? (expected ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(text.replaceAll(/^/gm, 'fetch-whep: ').concat('\n'));
  return error instanceof UsageError || (error instanceof Failure && error.code === 'invalid-options') ? 2 : 1;
}

// Explicit, since whatever may still be open must not keep a closed server's process alive.
process.exit(await main(process.argv.slice(2)).catch(explain));

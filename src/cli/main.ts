#!/usr/bin/env node
import process from 'node:process';
import { Failure } from '../index.ts';
import { nearest } from '../nearest.ts';
import { UsageError } from './arguments.ts';
import { benchCommand } from './bench.ts';
import { doctorCommand } from './doctor.ts';
import { serveCommand } from './serve.ts';
import { version } from './version.ts';

const USAGE = `Usage: fetch-whep COMMAND [options]

Commands:
  serve    serve streams by WHEP; see fetch-whep serve --help
  doctor   find out what this machine lacks, and what to change; see fetch-whep doctor --help
  bench    measure a server with many viewers; see fetch-whep bench --help

  --help     print this
  --version  print the version

Exit code 0: done. 1: it could not be done. 2: the command line or the config file is wrong.
`;

async function main([command, ...args]: readonly string[]): Promise<number> {
  switch (command) {
    case 'serve':
      return serveCommand(args);
    case 'bench':
      return benchCommand(args);
    case 'doctor':
      return doctorCommand(args);
    case '--version':
      process.stdout.write(`${version()}\n`);
      return 0;
    case '--help':
    case '-h':
      process.stdout.write(USAGE);
      return 0;
    case undefined:
      throw new UsageError('a command is missing: see fetch-whep --help');
    default: {
      const meant = nearest(command, ['serve', 'doctor', 'bench']);
      const cure = meant === undefined ? ': see fetch-whep --help' : `; did you mean ${meant}?`;
      throw new UsageError(`unknown command ${command}${cure}`);
    }
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

import { contract } from '../contract.ts';
import { bootProcess } from '../support/contract/process.ts';
import { currentRuntime } from '../support/runtimes.ts';

const runtime = currentRuntime();

// This engine takes no publishers: in the place of their stream there is one that nobody feeds.
contract(`a ${runtime} process with the portable engine`, (options) =>
  bootProcess(runtime, { ...options, engine: 'portable', streams: { ...options.streams, pub: 'push' } }),
);

import { contract } from '../contract.ts';
import { bootProcess } from '../support/contract/process.ts';
import { currentRuntime } from '../support/runtimes.ts';

const runtime = currentRuntime();

contract(
  `a ${runtime} process with the native engine`,
  (options) => bootProcess(runtime, { ...options, engine: 'native' }),
  ['publish'],
);

import { Child } from './child.ts';
import { currentRuntime } from './runtimes.ts';

/** The bench command of this runtime. */
export function bench(...args: string[]): Child {
  return new Child(currentRuntime(), 'dist/cli.js', ['bench', ...args]);
}

export interface Quantiles {
  p50: number;
  p99: number;
  max: number;
}

export interface FanoutRow {
  engine: string;
  codec: string;
  codecRatio?: number;
  connected: number;
  failures: number;
  profiles: string[];
  packetsPerSecond: { delivered: number; expected: number };
  sendCallsPerSecond: number;
  directRatio: number;
  lossRatio: number;
  duplicates: number;
  latency: Quantiles;
  post: Quantiles;
  firstKeyframe: Quantiles;
  cpuMicrosPerPacket: number;
  floorMicrosPerPacket: { gso: number; sendto: number };
}

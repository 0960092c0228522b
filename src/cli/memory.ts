import { setFlagsFromString } from 'node:v8';
import { currentRuntime } from '../runtime.ts';

/** By how much the heap may grow before it is collected again. Percent. */
const GROWTH = 20;

/**
 * V8 lets garbage pile up to several times of what is in use before it looks at it all, and then keeps the pages. A server's
 * heap is small and soon looked at, so it is looked at more often instead: a flood of requests leaves nothing behind.
 */
export function keepHeapSmall(): void {
  if (currentRuntime() === 'node') setFlagsFromString(`--heap-growing-percent=${GROWTH}`);
}

import process from 'node:process';

/** How often something random is tried: five times as often with `scripts/test --all`. */
export function rounds(usual: number): number {
  return process.env.FETCH_WHEP_ALL === undefined ? usual : 5 * usual;
}

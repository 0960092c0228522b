import { Refusal } from './refusal.ts';

/** In a 201: the marks of the stream and of those it comes from through other servers, the nearest first. */
export const PATH_HEADER = 'Fetch-Whep-Path';

/** Servers between the first and the last. */
const MAX_HOPS = 16;

/** What is no mark of ours is left out: the header is sent on. */
export function readPath(header: string | null): string[] {
  const marks = (header ?? '').split(',', MAX_HOPS + 1).map((each) => each.trim());
  return marks.filter((each) => /^[\w-]{22}$/.test(each));
}

/** Throws a `Refusal` when a stream would go round and round. `mark` is the stream's own. */
export function checkPath(path: readonly string[], mark: string): void {
  if (path.includes(mark)) {
    throw new Refusal('the other server gets this stream from here, which is a loop: pull it from its origin');
  }
  if (path.length > MAX_HOPS)
    throw new Refusal(`the stream comes through more than ${MAX_HOPS} servers: pull it from a nearer one`);
}

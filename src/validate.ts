import type * as z from 'zod';
import { Failure } from './errors.ts';

/** What the schema makes of the input. Throws `invalid-options`: a line per fault, its path from `root` and the cure. */
export function validate<T>(schema: z.ZodType<T>, input: unknown, root: string): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues
    .flatMap(faults)
    .map(({ path, message }) => `${[root, ...path].join('.')}: ${message}`);
  throw new Failure('invalid-options', lines.join('\n'));
}

export interface Fault {
  path: string[];
  message: string;
}

/** A fault in words; of alternatives, those of the one that was meant. */
export function faults(issue: z.core.$ZodIssue): Fault[] {
  const path = issue.path.map(String);
  const below = (inner: z.core.$ZodIssue) =>
    faults(inner).map((fault) => ({ ...fault, path: [...path, ...fault.path] }));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: 'no such option; remove it or correct its name',
    }));
  }
  if (issue.code === 'invalid_key') return issue.issues.flatMap(below);
  if (issue.code === 'invalid_union') {
    // The alternative that got deepest is the one that was meant.
    const meant = issue.errors
      .map((branch) => branch.flatMap(below))
      .find((branch) => branch.some((fault) => fault.path.length > path.length));
    if (meant) return meant;
  }
  return [{ path, message: issue.message }];
}

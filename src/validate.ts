import * as z from 'zod';
import { Failure } from './errors.ts';
import { NO_SUCH_OPTION, noSuchOption } from './nearest.ts';

/** What the schema makes of the input. Throws `invalid-options`: a line per fault, its path from `root` and the cure. */
export function validate<T>(schema: z.ZodType<T>, input: unknown, root: string): T {
  const parsed = parse(schema, input);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues
    .flatMap(faults)
    .map(({ path, message }) => `${[root, ...path].join('.')}: ${message}`);
  throw new Failure('invalid-options', lines.join('\n'));
}

/** `safeParse` that names, for an unknown key, the known one that was most likely meant. */
export function parse<T>(schema: z.ZodType<T>, input: unknown): z.ZodSafeParseResult<T> {
  return schema.safeParse(input, { error: explainKeys });
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
    const messages = issue.message.split('\n');
    return issue.keys.map((key, index) => ({ path: [...path, key], message: messages[index] ?? NO_SUCH_OPTION }));
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

/** A line for each unknown key. */
function explainKeys(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'unrecognized_keys') return undefined;
  const known = issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape) : [];
  return issue.keys.map((key) => noSuchOption(key, known)).join('\n');
}

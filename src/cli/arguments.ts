import { parseArgs } from 'node:util';
import { nearest } from '../nearest.ts';

/** A wrong command line or config file; `message` is one line that says what to write instead. */
export class UsageError extends Error {}

export interface Option {
  name: string;
  /** Has no value: it is given or not. */
  bare?: boolean;
}

/**
 * The values of each option that was given, in order; a bare one has none. Our own words for what is wrong, since every
 * runtime has others. Throws a `UsageError` that ends in where the help is.
 */
export function readArguments(
  args: readonly string[],
  options: readonly Option[],
  command: string,
): Map<string, string[]> {
  const refuse = (text: string) => new UsageError(`${text}: see fetch-whep ${command} --help`);
  const config = Object.fromEntries(
    options.map(({ name, bare }) => [name, { type: bare ? ('boolean' as const) : ('string' as const) }]),
  );
  const { tokens } = parseArgs({ args: [...args], options: config, strict: false, tokens: true });
  const found = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') throw refuse(`${token.value}: not an option`);
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    const option = options.find((each) => `--${each.name}` === rawName);
    if (option === undefined) {
      const known = options.map((each) => `--${each.name}`);
      const meant = nearest(rawName, known);
      throw meant === undefined
        ? refuse(`${rawName}: no such option`)
        : new UsageError(`${rawName}: no such option; did you mean ${meant}?`);
    }
    if (option.bare && value !== undefined) throw refuse(`${rawName}: takes no value`);
    if (!option.bare && (value === undefined || (!inlineValue && /^-./.test(value)))) {
      throw refuse(`${rawName}: its value is missing`);
    }
    found.set(name, [...(found.get(name) ?? []), ...(value === undefined ? [] : [value])]);
  }
  return found;
}

import process from 'node:process';
import { ACTIONS, TOKEN_OPTIONS, type Tokens } from '../access.ts';
import { UsageError } from './arguments.ts';
import { readText } from './config-file.ts';

/** The ways to give the token of each action. */
export const TOKENS = ACTIONS.map((action) => {
  const option = TOKEN_OPTIONS[action];
  const words = option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return {
    action,
    option,
    /** The option that names a file with the token in its first line. */
    file: `${option}File`,
    /** Without its dashes. */
    flag: words,
    variable: `FETCH_WHEP_${words.replace('-', '_').toUpperCase()}`,
  };
});

export interface GivenTokens {
  tokens: Tokens;
  /** Paths of those that lie in files, by option: `tokenFile` and so on. */
  files: Readonly<Record<string, string>>;
  /** What the user calls the place where each token was found, by option. */
  names: ReadonlyMap<string, string>;
}

type Options = Readonly<Record<string, unknown>>;

/** Flags win over the config file, that over the environment. Throws a `UsageError`; `nameOf` is for flags and config. */
export function givenTokens(flags: Options, config: Options, nameOf: (option: string) => string): GivenTokens {
  const tokens: Record<string, unknown> = {};
  const files: Record<string, string> = {};
  const names = new Map<string, string>();
  for (const { option, file, variable } of TOKENS) {
    const place = [flags, config].find((each) => each[option] !== undefined || each[file] !== undefined) ?? {};
    const { [option]: token, [file]: path } = place;
    if (token !== undefined && path !== undefined) {
      throw new UsageError(`${nameOf(file)}: leave out either this or ${nameOf(option)}`);
    }
    if (path !== undefined) {
      if (typeof path !== 'string') throw new UsageError(`${nameOf(file)}: give the path of a file`);
      tokens[option] = firstLine(path, nameOf(file));
      files[file] = path;
      names.set(option, `${nameOf(file)} ${path}`);
    } else if (token !== undefined) {
      tokens[option] = token;
    } else if (process.env[variable]) {
      tokens[option] = process.env[variable];
      names.set(option, variable);
    }
  }
  return { tokens, files, names };
}

function firstLine(path: string, name: string): string {
  const [line = ''] = readText(path, name).split(/\r?\n/);
  if (line === '') throw new UsageError(`${name} ${path}: its first line is empty: write the token there`);
  return line;
}

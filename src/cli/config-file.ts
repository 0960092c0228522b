import { readFileSync } from 'node:fs';
import { parse } from '@humanwhocodes/momoa';
import { UsageError } from './arguments.ts';

/** What a config file holds: one JSON object. Throws a `UsageError` that names the file, and the line that is no JSON. */
export function readConfig(path: string): Record<string, unknown> {
  const parsed = parseJson(readText(path, '--config'), path);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(`--config ${path}: the file has to hold one JSON object`);
  }
  return { ...parsed };
}

/** Throws a `UsageError` that names the option. */
export function readText(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    throw new UsageError(`${flag} ${path}: cannot be read (${code})`);
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`--config ${path}: not JSON: ${whatIsWrong(text)}`);
  }
}

/** The parser's names for tokens, as they look in a file. */
const TOKENS: Readonly<Record<string, string>> = {
  LBrace: '{',
  RBrace: '}',
  LBracket: '[',
  RBracket: ']',
  Comma: 'comma',
  Colon: 'colon',
  String: 'string',
  Number: 'number',
  Boolean: 'true or false',
  Null: 'null',
};

/** With line and column, which the runtimes themselves do not all tell. */
function whatIsWrong(text: string): string {
  try {
    parse(text, { mode: 'json' });
    return 'a string holds a character that has to be escaped';
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error.message
      .replace(/^Unexpected/, 'unexpected')
      .replace(/token (\w+)/, (_, token: string) => TOKENS[token] ?? token)
      .replace(/ found\. \((\d+):(\d+)\)$/, ' in line $1, column $2');
  }
}

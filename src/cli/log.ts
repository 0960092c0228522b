import process from 'node:process';
import {
  configureSync,
  getAnsiColorFormatter,
  getTextFormatter,
  jsonLinesFormatter,
  type LogLevel,
} from '@logtape/logtape';
import { isColoured } from './colour.ts';

/** Sends log lines to standard error: standard output belongs to the line that says where the server listens. */
export function logToStandardError(level: LogLevel, format: 'pretty' | 'json'): void {
  const pretty = isColoured(process.stderr) ? getAnsiColorFormatter({ value }) : getTextFormatter({ value });
  const write = format === 'json' ? jsonLinesFormatter : pretty;
  configureSync({
    sinks: { stderr: (record) => void process.stderr.write(write(record)) },
    loggers: [
      { category: 'fetch-whep', lowestLevel: level, sinks: ['stderr'] },
      { category: ['logtape', 'meta'], lowestLevel: 'warning', sinks: ['stderr'] },
    ],
  });
}

/** Text as it is, but what would begin another line or speak to the terminal. */
function value(value: unknown, inspect: (value: unknown) => string): string {
  if (typeof value !== 'string') return inspect(value);
  return value.replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

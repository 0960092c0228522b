import process from 'node:process';
import {
  ansiColorFormatter,
  configureSync,
  defaultTextFormatter,
  jsonLinesFormatter,
  type LogLevel,
} from '@logtape/logtape';

/** Sends log lines to standard error: standard output belongs to the line that says where the server listens. */
export function logToStandardError(level: LogLevel, format: 'pretty' | 'json'): void {
  const coloured = process.stderr.isTTY && !process.env.NO_COLOR;
  const pretty = coloured ? ansiColorFormatter : defaultTextFormatter;
  const write = format === 'json' ? jsonLinesFormatter : pretty;
  configureSync({
    sinks: { stderr: (record) => void process.stderr.write(write(record)) },
    loggers: [
      { category: 'fetch-whep', lowestLevel: level, sinks: ['stderr'] },
      { category: ['logtape', 'meta'], lowestLevel: 'warning', sinks: ['stderr'] },
    ],
  });
}

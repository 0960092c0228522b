import { masked, maskFor } from '../sources/ffmpeg/mask.ts';
import { type Configuration, effective } from './configuration.ts';

/** Keys whose values nobody may see. */
const SECRET = /^(token|\w+Token|secret|credential|password)$/;

/** What a configuration comes to, with every default and without secrets, as a config file would hold it. */
export function printed(configuration: Configuration): string {
  return `${JSON.stringify(effective(configuration), harmless, 2)}\n`;
}

function harmless(key: string, value: unknown): unknown {
  if (SECRET.test(key) && value !== undefined) return '***';
  if (value === Number.POSITIVE_INFINITY) return 'none';
  if (key === 'args' && isTexts(value)) return value.map(maskFor(value));
  return typeof value === 'string' ? masked(value) : value;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

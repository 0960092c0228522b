import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { Child } from './child.ts';
import { eventually } from './eventually.ts';
import { currentRuntime } from './runtimes.ts';

const runtime = currentRuntime();
const folder = `build/examples/${runtime}`;

/**
 * The example as JavaScript in the checkout, where `fetch-whep` is the package itself, and the script of its page. Its ports
 * are left to the system.
 */
export function prepare(name: string): string {
  const source = readFileSync(`examples/${name}.ts`, 'utf8').replace(/\b(8080|5004|5006)\b/g, '0');
  const path = join(folder, `${name}.mjs`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, transformSync(source, { loader: 'ts', target: 'node20.11' }).code);
  const script = `examples/${name}.js`;
  if (existsSync(script)) copyFileSync(script, join(folder, `${name}.js`));
  return path;
}

/** Gives `use` the page that an example has printed. */
export async function running(name: string, use: (page: string) => Promise<void>): Promise<void> {
  const example = new Child(runtime, prepare(name));
  try {
    await use(await eventually('the address', () => /^watch at (http\S+\/play\/demo)$/m.exec(example.stdout)?.[1]));
  } finally {
    example.kill('SIGKILL');
    await example.ended;
  }
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';

/** A folder of its own with shell scripts in the place of programs, for as long as `use` runs. */
export async function withPrograms(
  scripts: Record<string, string>,
  use: (folder: string) => Promise<void>,
  { hideOthers = false } = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-test-'));
  const path = process.env.PATH;
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  process.env.PATH = hideOthers ? folder : `${folder}${delimiter}${path}`;
  try {
    await use(folder);
  } finally {
    process.env.PATH = path;
    rmSync(folder, { recursive: true, force: true });
  }
}

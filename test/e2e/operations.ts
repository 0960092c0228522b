import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { validateWorkflow } from '@action-validator/core';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { parseFlags } from '../../src/cli/flags.ts';

const test = suite('files for operators');
const run = promisify(execFile);

test('systemd takes the unit, and has little to say against its sandbox', async () => {
  const unit = readFileSync('docs/fetch-whep.service', 'utf8');
  const [, program, command, flags] = /^ExecStart=(\S+) (\S+) (.+)$/m.exec(unit) ?? [];
  assert.equal([program, command], ['/usr/bin/fetch-whep', 'serve']);
  parseFlags(flags?.split(' ') ?? [], 'serve', []);

  const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-test-'));
  try {
    // verify wants to see the program.
    const path = join(folder, 'fetch-whep.service');
    writeFileSync(path, unit.replace('/usr/bin/fetch-whep', '/usr/bin/env'));
    const { stdout, stderr } = await run('systemd-analyze', ['verify', path]);
    assert.is(stdout + stderr, '');
    // In tenths, as systemd counts exposure: 20 and less is "OK".
    await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', path]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const dockerfile = readFileSync('docs/Dockerfile', 'utf8');

test('the Dockerfile has no fault that a linter knows', () => {
  assert.equal(validate(dockerfile), []);
  assert.not.equal(validate(dockerfile.replace('WORKDIR', 'WORKDIRECTORY')), []);
});

test('the Dockerfile copies what is there and runs what exists', () => {
  const stages = new Set<string>();
  let user: string | undefined;
  for (const instruction of DockerfileParser.parse(dockerfile).getInstructions()) {
    const words = instruction.getArguments().map((argument) => argument.getValue());
    switch (instruction.getKeyword()) {
      case 'FROM':
        user = undefined;
        if (words[1] === 'AS' && words[2] !== undefined) stages.add(words[2]);
        break;
      case 'COPY': {
        const from = /--from=(\S+)/.exec(instruction.toString())?.[1];
        if (from !== undefined) assert.ok(stages.has(from), from);
        else for (const path of words.slice(0, -1)) assert.ok(existsSync(path), path);
        break;
      }
      case 'USER':
        [user] = words;
        break;
      case 'ENTRYPOINT': {
        const [program, command, ...args] = JSON.parse(words.join(' ')) as string[];
        assert.equal([program, command], ['fetch-whep', 'serve']);
        parseFlags(args, 'serve', []);
      }
    }
  }
  assert.is(user, 'node', 'the server does not run as root');
  for (const [, script = ''] of dockerfile.matchAll(/\bnode (scripts\/\S+)/g)) assert.ok(existsSync(script), script);
});

test('images and containers get the packages that scripts/start needs to build', () => {
  const setup = /^compiler_packages=\((.*)\)$/m.exec(readFileSync('scripts/lib/setup.sh', 'utf8'))?.[1] ?? '';
  const building = [...new Set(setup.split(' ').map((pair) => pair.split('=')[1] ?? ''))].sort();
  for (const file of ['docs/Dockerfile', 'scripts/lib/container.sh']) {
    const [, installed = ''] =
      /apt-get install --yes --no-install-recommends ([^\n\\]+)/.exec(readFileSync(file, 'utf8')) ?? [];
    assert.equal(installed.trim().split(' ').sort(), building, file);
  }
});

interface Workflow {
  jobs: Record<string, { strategy?: { matrix: { include: Row[] } }; steps: { run?: string; uses?: string }[] }>;
}

interface Row {
  platform: string;
  runner: string;
  image?: string;
}

const source = readFileSync('.github/workflows/prebuild.yml', 'utf8');
const workflow = parse(source) as Workflow;

test('the workflow is one by its schema', () => {
  assert.equal(validateWorkflow(source).errors, []);
  assert.is.not(validateWorkflow(source.replace('runs-on', 'run-on')).errors.length, 0);
});

test('the workflow builds each platform once, on a machine of its kind', async () => {
  const { platforms } = (await import(join(process.cwd(), 'scripts/lib/platforms.mjs'))) as {
    platforms: Record<string, { os: string[]; cpu: string[]; libc?: string[] }>;
  };
  const rows = workflow.jobs.addon?.strategy?.matrix.include ?? [];
  assert.equal(rows.map(({ platform }) => platform).sort(), Object.keys(platforms).sort());
  for (const { platform, runner, image } of rows) {
    const { os, cpu, libc } = platforms[platform] ?? {};
    const [name] = { linux: ['ubuntu'], darwin: ['macos'], win32: ['windows'] }[os?.[0] ?? ''] ?? [];
    assert.match(runner, new RegExp(`^${name}-`), platform);
    const arm = /-arm$/.test(runner) || (name === 'macos' && !/-intel$/.test(runner));
    assert.is(arm, cpu?.[0] === 'arm64', platform);
    const distribution = { glibc: 'bookworm', musl: 'alpine' }[libc?.[0] ?? ''];
    assert.is(image, distribution && `node:22-${distribution}`, platform);
  }
});

test('the workflow calls scripts that exist, and in the end those that test/e2e/package.ts runs', () => {
  const steps = Object.values(workflow.jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []));
  const scripts = steps.flatMap((step) => step.match(/\bscripts\/[\w./-]+/g) ?? []);
  assert.equal([...new Set(scripts)].sort(), ['scripts/lib/container.sh', 'scripts/prebuild.mjs']);
  for (const script of scripts) assert.ok(existsSync(script), script);
  assert.ok(statSync('scripts/lib/container.sh').mode & 0o100, 'it can be executed');
  assert.match(readFileSync('scripts/lib/container.sh', 'utf8'), /^node scripts\/prebuild\.mjs addon$/m);
  assert.ok(steps.includes('node scripts/prebuild.mjs addon'));
  assert.ok(steps.includes('node scripts/prebuild.mjs package'));
});

test.run();

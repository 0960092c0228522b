import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { startRegistry } from './registry.ts';

const run = promisify(execFile);

export interface Manifest {
  name: string;
  version: string;
  [field: string]: unknown;
}

/** What `node scripts/prebuild.mjs` has left in build/npm. */
export interface Built {
  main: Package;
  /** That of this machine. */
  platform: Package;
}

export interface Package {
  /** As it was packed, in `folder`. */
  manifest: Manifest;
  folder: string;
  tarball: string;
}

const target = 'build/npm';

/** Makes both packages, by the commands that the workflow runs. */
export async function prebuild(): Promise<Built> {
  for (const part of ['addon', 'package']) await run('node', ['scripts/prebuild.mjs', part]);
  const platform = readdirSync(target).find((name) => existsSync(join(target, name, 'fetch-whep.node')));
  if (platform === undefined) throw new Error('there is no platform package in build/npm');
  return { main: packageIn('fetch-whep'), platform: packageIn(platform) };
}

function packageIn(name: string): Package {
  const folder = join(target, name);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  const file = `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`;
  return { manifest, folder, tarball: resolve(target, file) };
}

/** A folder of its own into which a package manager has installed the packages. */
export interface Installation {
  folder: string;
  /** The platform packages that it chose. */
  chosen: string[];
  remove(): void;
}

const MANAGERS = {
  npm: ['npm', 'install', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'],
  bun: [resolve('node_modules/.bin/bun'), 'add', '--silent'],
} as const;

/**
 * Installs the main package as a user would. Its platform packages come from a registry on loopback that knows all of
 * them and has the tarball of this machine's.
 */
export async function install({ main, platform }: Built, manager: keyof typeof MANAGERS): Promise<Installation> {
  const [program, ...args] = MANAGERS[manager];
  const names = Object.keys(main.manifest.optionalDependencies ?? {}).filter((name) => name.startsWith('@fetch-whep/'));
  const registry = await startRegistry(names.map((name) => publication(name, platform)));
  const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-test-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
    writeFileSync(join(folder, '.npmrc'), `@fetch-whep:registry=${registry.url}\n`);
    await run(program, [...args, main.tarball], { cwd: folder });
  } finally {
    registry.close();
  }
  return {
    folder,
    chosen: readdirSync(join(folder, 'node_modules/@fetch-whep')).map((name) => `@fetch-whep/${name}`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Of the other platforms there is only what npm needs to leave them alone. */
function publication(name: string, { manifest, tarball }: Package) {
  if (name === manifest.name) return { manifest, tarball };
  const [os = '', cpu = '', library] = name.replace('@fetch-whep/', '').split('-');
  const libc = { gnu: 'glibc', musl: 'musl' }[library ?? ''];
  const { version } = manifest;
  return { manifest: { name, version, os: [os], cpu: [cpu], ...(libc && { libc: [libc] }) } };
}

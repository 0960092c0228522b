// The platforms that get a prebuilt addon, and the names of their packages as src/engine/addon.ts looks for them.
import process from 'node:process';

/** What npm compares with the machine before it installs a platform's package. */
export const platforms = {
  'linux-x64-gnu': { os: ['linux'], cpu: ['x64'], libc: ['glibc'] },
  'linux-x64-musl': { os: ['linux'], cpu: ['x64'], libc: ['musl'] },
  'linux-arm64-gnu': { os: ['linux'], cpu: ['arm64'], libc: ['glibc'] },
  'linux-arm64-musl': { os: ['linux'], cpu: ['arm64'], libc: ['musl'] },
  'darwin-x64': { os: ['darwin'], cpu: ['x64'] },
  'darwin-arm64': { os: ['darwin'], cpu: ['arm64'] },
  'win32-x64-msvc': { os: ['win32'], cpu: ['x64'] },
};

export function packageOf(platform) {
  return `@fetch-whep/${platform}`;
}

/** The platform that this runs on. */
export function thisPlatform() {
  const { platform, arch } = process;
  // Only a Node that is linked with glibc has the field.
  const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'gnu';
  return [platform, arch, ...({ linux: [libc], win32: ['msvc'] }[platform] ?? [])].join('-');
}

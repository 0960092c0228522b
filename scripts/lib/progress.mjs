// How far cargo has come where nothing was built before.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Shares of the time that a first build of the addon takes, and what each makes: objects of C and C++, crates of Rust. */
const shares = {
  openssl: { of: 0.45, files: 785 },
  libdatachannel: { of: 0.25, files: 68 },
  crates: { of: 0.3, files: 137 },
};

/** Sooner the speed of the machine is not known: the first crates are small. */
const known = 0.15;

/** Tells the seconds left after `elapsed` seconds, if known; undefined where cargo has built before, and does just some of it. */
export function firstBuild(target) {
  const release = join(target, 'release');
  if (existsSync(join(release, '.fingerprint'))) return undefined;
  return (elapsed) => {
    const done = fraction(release);
    return done < known ? undefined : (elapsed * (1 - done)) / done;
  };
}

function fraction(release) {
  const openssl = outputs(release, 'openssl-sys-').some((out) => existsSync(join(out, 'openssl-build/install/lib')))
    ? shares.openssl.files
    : objects(release, 'openssl-sys-');
  const crates = entries(join(release, '.fingerprint')).length;
  return (
    share(shares.openssl, openssl) +
    share(shares.libdatachannel, objects(release, 'datachannel-sys-')) +
    share(shares.crates, crates)
  );
}

function share({ of, files }, made) {
  return of * Math.min(1, made / files);
}

function objects(release, crate) {
  return outputs(release, crate)
    .flatMap((out) => entries(out, true))
    .filter((name) => name.endsWith('.o')).length;
}

function outputs(release, crate) {
  const build = join(release, 'build');
  return entries(build)
    .filter((name) => name.startsWith(crate))
    .map((name) => join(build, name, 'out'));
}

/** None of a folder that is not there, or goes away meanwhile. */
function entries(folder, recursive = false) {
  try {
    return readdirSync(folder, { recursive });
  } catch {
    return [];
  }
}

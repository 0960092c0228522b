// The house rules that no other tool knows: who may import whom, and what must not be in the tree.
// Fails with file, line and rule; reports files that have grown past their budget.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { filesBelow, root } from './lib/files.mjs';
import { libraries, patchedCopy } from './lib/library.mjs';

/** Lines a file should hold at most. Past it, it is named; it is no failure. */
const budget = 250;

/** `of` may import only what `only` matches, or nothing that `never` matches. Paths start at the checkout. */
const rooms = [
  {
    of: /^src\/(errors|collect|patience|runtime|engine\/codecs)\.ts$/,
    only: /^$/,
    why: 'errors, collect, patience, runtime and engine/codecs are leaves',
  },
  {
    of: /^src\/engine\//,
    never: /^src\/(?!engine\/|errors\.ts|turns\.ts)/,
    why: 'an engine knows its port, the errors and the order of work, nothing above it',
  },
  { of: /^src\/engine\/codecs\.ts$/, only: /^$/, why: 'the list of codecs is a leaf' },
  {
    of: /^src\/engine\/port\.ts$/,
    never: /^(?!src\/(errors|engine\/codecs)\.ts$)/,
    why: 'the port is plain data and depends on nothing but the names of codecs',
  },
  {
    of: /^src\/engine\/portable\//,
    never: /^src\/(?!engine\/(portable\/|(port|codecs)\.ts)|errors\.ts)/,
    why: 'the portable engine knows its port and the errors',
  },
  {
    of: /^src\/engine\/(?!open\.ts|portable\/)/,
    never: /^src\/engine\/portable\//,
    why: 'a process holds one engine: only open.ts chooses the portable one',
  },
  { of: /^src\/sdp\//, never: /^src\/(?!sdp\/|engine\/(port|codecs)\.ts|errors\.ts)/, why: 'sdp/ is pure policy' },
  {
    of: /^src\/sources\//,
    never:
      /^src\/(?!sources\/|engine\/(port|codecs)\.ts|sdp\/(session|parameters)\.ts|(errors|validate|collect|patience)\.ts)/,
    why: 'a source knows the port and the errors, and of sdp/ what reads the description of an RTP source',
  },
  {
    of: /^src\/(hub|sessions|streams|metrics|options)\.ts$/,
    never: /^src\/(http\/|cli\/|serve\.ts|index\.ts|player\/|engine\/(?!(port|codecs)\.ts))/,
    why: 'the core knows neither HTTP nor an engine behind the port',
  },
  {
    of: /^src\/(sessions|streams)\.ts$/,
    never: /^src\/(hub|sdp\/)/,
    why: 'the hub owns the tables, not the other way round',
  },
  {
    of: /^src\/http\//,
    never: /^src\/(cli\/|serve\.ts|index\.ts|engine\/(?!(port|codecs)\.ts))/,
    why: 'http/ never imports an engine, and nothing above it',
  },
  { of: /^src\/player\//, never: /^(?!src\/player\/)/, why: 'the player runs in a page and depends on nothing' },
  { of: /^src\/(?!cli\/|serve\.ts)/, never: /^src\/(cli\/|serve\.ts)/, why: 'cli and serve are at the top' },
  {
    of: /^src\/(?!cli\/|serve\.ts)/,
    never: /^src\/index\.ts$/,
    why: 'index wires the parts; only cli and serve use it',
  },
];

/** A package, and the only place that may import it. */
const packages = [
  { name: /^itty-router$/, only: /^src\/http\/router\.ts$/ },
  { name: /^prom-client$/, only: /^src\/metrics\.ts$/ },
  { name: /^sdp-transform$/, only: /^src\/sdp\// },
  { name: /^srvx(\/|$)/, only: /^src\/serve\.ts$/ },
  { name: /^@humanwhocodes\/momoa$/, only: /^src\/cli\/config-file\.ts$/ },
  { name: /^node-datachannel$/, only: /^src\/engine\/portable\// },
  { name: /^node:module$/, only: /^src\/engine\/addon\.ts$/ },
  { name: /\.node$/, only: /^src\/engine\/addon\.ts$/ },
];

/** A crate, and the dependencies it must not have. */
const crates = [
  { of: 'core', never: /^(napi|datachannel|mio|libc|socket2|tokio|rtc$|fetch-whep)/, why: 'core is pure media logic' },
  { of: 'rtc', never: /^(napi|fetch-whep)/, why: 'rtc stands alone at the unsafe edge' },
  { of: 'engine', never: /^(napi|datachannel)/, why: 'the engine knows neither JavaScript nor libdatachannel' },
  { of: 'addon', never: /^(datachannel|mio|libc)/, why: 'the skin only translates' },
];

/** A codec's name, as a word or as a part of a name. */
const codecName = /(?<![a-z0-9])(h26[45]|hevc|vp[89]|av1|(multi)?opus|pcm[ua]|g722)(?![a-z0-9])/i;
/** Where no codec may be named: code that passes them on. */
const codecFree = [
  {
    of: /^src\/(?!sdp\/(codecs\/|(session|parameters)\.ts)|engine\/|sources\/(?!whep\/)|cli\/|(options|server)\.ts|http\/(schemas|observe)\.ts|player\/sdp\.ts)/,
    why: 'sdp/codecs/ and engine/codecs.ts know the codecs',
  },
  {
    of: /^native\/(core\/src\/(?!codec\/|(codec|fuzz|clip|warning)\.rs)|engine\/src\/(shard|viewer|mailbox|ingest|session)|rtc\/src\/)/,
    why: 'core/src/codec/ knows the codecs',
  },
];

/** Text that must not be there. Built from halves where this file would otherwise accuse itself. */
const forbidden = [
  {
    in: /\.(ts|mjs|rs|toml|css|html)$|^scripts\//,
    text: new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`),
    why: 'no notes to do later',
  },
  { in: /\.(ts|mjs)$/, text: /\b(test|suite|it|describe)\w*\.(skip|only)\(/, why: 'no skipped or singled-out test' },
  { in: /\.rs$/, text: /#\[ignore|\b(todo|unimplemented)!\(/, why: 'no skipped test, no unfinished code' },
  {
    in: /\.ts$/,
    text: /\bas any\b|: any\b|<any>|as unknown as|@ts-(ignore|expect-error|nocheck)/,
    why: 'no type is given up',
  },
  { in: /\.ts$/, text: /\bconstructor\.name\b/, why: 'bundlers rename classes' },
  {
    in: /./,
    text: new RegExp(`(^|[^\\w.$}/-])/(${['work', 'farm', 'root', 'home', 'Users'].join('|')})/\\w`),
    why: 'no path of one machine',
  },
  {
    in: /^native\/.*\.rs$/,
    text: /["'`]\/?(whep|whip|webrtc|healthz)\/|\bStatusCode\b|\bhttp::/,
    why: 'no HTTP below native/',
  },
];

const faults = [];
const files = ['src', 'test', 'scripts', 'native', 'docs', 'examples', '.ci']
  .flatMap(filesBelow)
  .concat(['README.md', 'CONTRIBUTING.md', 'package.json', 'deno.json'])
  .filter((path) => !/\.(h264|opus|rtp|png|lock|node)$/.test(path));

for (const path of files) {
  const text = readFileSync(join(root, path), 'utf8');
  const lines = text.split('\n');
  checkText(path, lines);
  if (/^src\/.*\.ts$/.test(path)) checkImports(path, text);
  if (/^native\/(?!rtc\/).*\.rs$/.test(path)) checkUnsafe(path, lines);
  if (/^(src|native)\/.*\.(ts|rs)$/.test(path)) checkCodecs(path, lines);
}
for (const crate of crates) checkCrate(crate);
if (!/^#!\[forbid\(unsafe_code\)\]/m.test(readFileSync(join(root, 'native/core/src/lib.rs'), 'utf8'))) {
  fault('native/core/src/lib.rs', 1, 'core forbids unsafe code');
}
for (const path of libraries.flatMap(({ patches }) => patches)) checkReason(path);
await checkPatches();

const grown = files
  .filter((path) => /\.(ts|mjs|rs)$/.test(path))
  .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n').length - 1 }))
  .filter(({ lines }) => lines > budget);
if (grown.length > 0)
  console.log(`over ${budget} lines: ${grown.map(({ path, lines }) => `${path} (${lines})`).join(', ')}`);
for (const line of faults) console.log(line);
console.log(`rules: ${files.length} files, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;

function fault(path, line, why) {
  faults.push(`${path}:${line}: ${why}`);
}

function checkText(path, lines) {
  for (const rule of forbidden.filter((each) => each.in.test(path))) {
    lines.forEach((line, index) => {
      if (rule.text.test(line)) fault(path, index + 1, rule.why);
    });
  }
}

function checkImports(path, text) {
  const specifiers = /\b(?:from|import)\s*\(?\s*'([^']+)'|\brequire\('([^']+)'\)/g;
  for (const found of text.matchAll(specifiers)) {
    const name = found[1] ?? found[2];
    const line = text.slice(0, found.index).split('\n').length;
    const target = name.startsWith('.') ? join(path, '..', name).replaceAll('\\', '/') : name;
    for (const room of rooms) {
      if (!room.of.test(path)) continue;
      if (room.never?.test(target) || (room.only && !room.only.test(target)))
        fault(path, line, `imports ${name}: ${room.why}`);
    }
    for (const rule of packages) {
      if (rule.name.test(name) && !rule.only.test(path))
        fault(path, line, `imports ${name}: only ${rule.only.source} may`);
    }
  }
}

function checkUnsafe(path, lines) {
  lines.forEach((line, index) => {
    const code = line.replace(/\/\/.*$/, '');
    if (/\bunsafe\b/.test(code)) fault(path, index + 1, 'unsafe code lives in native/rtc alone');
  });
}

/** Up to a file's own tests, which need samples. */
function checkCodecs(path, lines) {
  const tests = lines.findIndex((line) => line.startsWith('#[cfg(test)]'));
  for (const { why } of codecFree.filter(({ of }) => of.test(path))) {
    lines.slice(0, tests < 0 ? lines.length : tests).forEach((line, index) => {
      const [name] = codecName.exec(line.replace(/\/\/.*$/, '')) ?? [];
      if (name !== undefined) fault(path, index + 1, `names ${name}: ${why}`);
    });
  }
}

function checkCrate({ of, never, why }) {
  const path = `native/${of}/Cargo.toml`;
  let section = '';
  readFileSync(join(root, path), 'utf8')
    .split('\n')
    .forEach((line, index) => {
      section = /^\[(.+)\]/.exec(line)?.[1] ?? section;
      const name = /^([\w-]+)(\.\w+)?\s*=/.exec(line)?.[1];
      const real = /package\s*=\s*"([^"]+)"/.exec(line)?.[1] ?? name;
      const depends = /dependencies(\.|$)/.test(section) && !section.startsWith('dev-');
      if (depends && name !== undefined && (never.test(name) || never.test(real))) {
        fault(path, index + 1, `depends on ${real}: ${why}`);
      }
    });
}

/** A subject and a paragraph, before what is changed. */
function checkReason(path) {
  const [head] = readFileSync(join(root, path), 'utf8').split(/^--- /m);
  if (!/^\S.*\n\n\S[\s\S]{80,}/.test(head)) fault(path, 1, 'a patch says in its head what is wrong and what changes');
}

async function checkPatches() {
  const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-'));
  try {
    for (const library of libraries) await patchedCopy(library, join(folder, library.crate));
  } catch (error) {
    fault('native/patches', 1, error instanceof Error ? error.message : String(error));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

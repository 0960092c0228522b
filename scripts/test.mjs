// Runs every test, after scripts/test has set the machine up. A failing stage never hides a later one.
// Options: --only NAME (repeatable: a stage, or a part of a test file's path), --runtime NAME (repeatable), --all.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { buildAddon, buildPackage, buildTests, bundleOf, testFiles } from './build.mjs';
import { addressSanitizer, cargo } from './lib/cargo.mjs';
import { root } from './lib/files.mjs';
import { run } from './lib/run.mjs';

const runtimes = {
  node: ['node', '--enable-source-maps'],
  bun: ['node_modules/.bin/bun'],
  deno: ['node_modules/.bin/deno', 'run', '-A', '--node-modules-dir=manual'],
};
/** One file's time on one runtime; a test that needs more is stuck. Milliseconds. */
const fileLimit = 300_000;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    runtime: { type: 'string', multiple: true, default: Object.keys(runtimes) },
    all: { type: 'boolean', default: false },
  },
});
// What is random runs longer then; see CONTRIBUTING.md.
if (options.all) process.env.FETCH_WHEP_ALL = '1';

const total = { passed: 0, failed: 0 };
/** The names of what failed, said again at the end: thousands of lines may stand in between. */
const failures = [];

const checks = {
  rules: () => succeeds(local('node', ['scripts/check.mjs'])),
  biome: () => succeeds(local('node_modules/.bin/biome', ['ci', '--colors=off', '.'])),
  tsc: async () => {
    for (const project of ['tsconfig.json', 'tsconfig.examples.json']) {
      await succeeds(local('node_modules/.bin/tsc', ['-p', project]));
    }
  },
  fmt: () => succeeds(cargo(['fmt', '--check'])),
  clippy: () =>
    succeeds(cargo(['clippy', '--release', '--locked', '--all-targets', '--all-features', '--', '-D', 'warnings'])),
};
const builds = { package: buildPackage, addon: buildAddon };

/** What goes past libdatachannel exists on Linux alone, and so does its check. */
const cargoStages = { cargo: cargoTests, ...(process.platform === 'linux' && { asan: sanitizedTests }) };
const stages = [...Object.keys(checks), ...Object.keys(cargoStages)];
const files = testFiles();
/** A name of a stage means the stage, whatever files have it in their paths. */
const parts = options.only.filter((name) => !stages.includes(name));
const chosen = files.filter((path) =>
  options.only.length === 0 ? options.all || !isSlow(path) : parts.some((part) => path.includes(part)),
);
const everywhere = chosen.filter((path) => !path.startsWith('test/e2e/'));
const endToEnd = chosen.filter((path) => path.startsWith('test/e2e/'));
const unknown = parts.find((part) => !files.some((path) => path.includes(part)));
const badRuntime = options.runtime.find((name) => !(name in runtimes));
if (unknown !== undefined || badRuntime !== undefined) {
  if (badRuntime !== undefined) console.error(`scripts/test: --runtime takes ${Object.keys(runtimes).join(', ')}`);
  else
    console.error(
      `scripts/test: --only ${unknown}: neither one of ${stages.join(', ')} nor part of a test file's path`,
    );
  console.log('0 passed, 1 failed');
  process.exit(2);
}

// Side by side: most use one core.
const checking = Object.entries(checks).filter(([name]) => wanted(name));
await Promise.all(checking.map(([name, check]) => stage(name, (title) => single(title, check))));
for (const [name, tests] of Object.entries(cargoStages)) {
  if (wanted(name)) await stage(name, tests);
}
if (chosen.length > 0) {
  for (const [name, build] of Object.entries(builds)) await stage(`build ${name}`, (title) => single(title, build));
  await stage('build tests', (title) => single(title, () => buildTests(chosen)));
  for (const runtime of options.runtime) {
    await stage(`tests on ${runtime}`, () => suites(everywhere, runtime, 2));
  }
  // These choose the server's runtime themselves.
  await stage('tests end to end', () => suites(endToEnd, 'node', 1));
}
if (options.only.length === 0 && !options.all) {
  console.log(`\nleft out, for --all: ${files.filter(isSlow).length} slow files, and more rounds of what is random`);
}
if (failures.length > 0) console.log(`\nfailed:\n${failures.map((name) => `  ${name}`).join('\n')}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

function isSlow(path) {
  return path.includes('/slow/');
}

function wanted(name) {
  return options.only.length === 0 || options.only.includes(name);
}

async function stage(name, work) {
  const start = Date.now();
  console.log(`\n== ${name}`);
  const { passed, failed } = await work(name);
  total.passed += passed;
  total.failed += failed;
  console.log(`== ${name}: ${passed} passed, ${failed} failed, ${((Date.now() - start) / 1000).toFixed(1)} s`);
}

/** A check or a build counts as one. */
async function single(name, work) {
  try {
    await work();
    return { passed: 1, failed: 0 };
  } catch (error) {
    console.log(error instanceof Error ? error.message : String(error));
    failures.push(name);
    return { passed: 0, failed: 1 };
  }
}

async function succeeds(running) {
  const { output, ending } = await running;
  if (ending !== undefined) throw new Error(`${lastLines(output)}\n${ending}`);
}

/** A build that fails may have said thousands of lines before; the last ones tell why. */
function lastLines(output) {
  return output.trimEnd().split('\n').slice(-600).join('\n');
}

function local(program, args) {
  return run(program, args, { cwd: root });
}

function cargoTests(title) {
  return tested(title, cargo(['test', '--release', '--locked', '--workspace', '--no-fail-fast']));
}

/** Sessions of libsrtp that end while packets are protected with them, and what attackers make of the libraries. */
function sanitizedTests(title) {
  const { args, env } = addressSanitizer();
  const tests = [
    '--workspace',
    '--lib',
    '--test',
    'closes',
    '--test',
    'attacks',
    '--',
    'viewers_',
    'sessions_may_be_freed',
  ];
  return tested(title, cargo(['test', '--release', '--locked', ...args, ...tests], { env }));
}

async function tested(name, running) {
  const { output, ending } = await running;
  if (ending !== undefined) {
    console.log(lastLines(output));
    failures.push(...named(name, output.matchAll(/^test (.+) \.\.\. FAILED$/gm)));
  }
  const results = [...output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm)];
  const sum = (group) => results.reduce((all, result) => all + Number(result[group]), 0);
  const failed = sum(2) + sum(3);
  // A crash or a compile error has no count of its own.
  return { passed: sum(1), failed: failed === 0 && (ending !== undefined || sum(1) === 0) ? 1 : failed };
}

/** Runs files, `atOnce` of them side by side. */
async function suites(paths, runtime, atOnce) {
  const sum = { passed: 0, failed: 0 };
  const left = [...paths];
  const worker = async () => {
    for (let path = left.shift(); path !== undefined; path = left.shift()) {
      const { passed, failed } = await suite(path, runtime);
      sum.passed += passed;
      sum.failed += failed;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return sum;
}

async function suite(path, runtime) {
  const [program, ...flags] = runtimes[runtime];
  const start = Date.now();
  const { output, ending } = await run(program, [...flags, bundleOf(path)], {
    cwd: root,
    env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1', FETCH_WHEP_RUNTIME: runtime },
    limit: fileLimit,
  });
  const all = Number(/^ {2}Total: +(\d+)$/m.exec(output)?.[1] ?? 0);
  const passed = Number(/^ {2}Passed: +(\d+)$/m.exec(output)?.[1] ?? 0);
  const broken = ending !== undefined || all === 0;
  const failed = broken ? Math.max(1, all - passed) : all - passed;
  const verdict = failed === 0 ? '' : `, ${failed} failed${ending === undefined ? '' : ` (${ending})`}`;
  console.log(`${runtime} ${path}: ${passed} passed${verdict}, ${((Date.now() - start) / 1000).toFixed(1)} s`);
  if (failed > 0) {
    console.log(output.trimEnd());
    failures.push(...named(`${runtime} ${path}`, output.matchAll(/^ +FAIL +(.+)$/gm)));
  }
  return { passed, failed };
}

/** The tests that a run names as failed; the run itself if it names none. */
function named(run, tests) {
  const names = [...tests].map(([, test]) => `${run}: ${test}`);
  return names.length > 0 ? names : [run];
}

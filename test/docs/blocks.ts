import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseOptions as parseBenchOptions } from '../../src/cli/bench/options.ts';
import { configure } from '../../src/cli/configuration.ts';
import { FLAGS, parseFlags } from '../../src/cli/flags.ts';
import { createServer, type ServerOptions } from '../../src/index.ts';
import { parseOptions } from '../../src/options.ts';
import { blocks, commands, DOCUMENTS } from '../support/documents.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('code in the documents');

/** What is copied word for word from a file that another test runs. */
const EXAMPLES: Record<string, string> = { ts: '.ts', js: '.js', json: '.json', yaml: '.yml', nginx: '.conf' };

test('every block has a language that is checked', () => {
  for (const { place, language } of blocks()) {
    assert.ok(language in EXAMPLES || language === 'sh' || language === '', `${place}: ${language}`);
  }
});

test('every program in a document is a tested example', () => {
  const examples = readdirSync('examples').map((name) => ({ name, text: readFileSync(`examples/${name}`, 'utf8') }));
  for (const { place, language, text } of blocks().filter(({ language }) => language in EXAMPLES)) {
    const same = examples.find((example) => example.text === text);
    assert.ok(same, `${place}: not a file in examples/`);
    assert.ok(same.name.endsWith(EXAMPLES[language] ?? ''), `${place}: ${language} is ${same.name}`);
  }
});

test('every example is shown in a document, or linked where it is too long for that', () => {
  const shown = blocks().map(({ text }) => text);
  const links = DOCUMENTS.flatMap((path) => readFileSync(path, 'utf8').match(/examples\/[\w.-]+/g) ?? []);
  for (const name of readdirSync('examples').filter((each) => each !== 'globals.d.ts')) {
    const found = shown.includes(readFileSync(`examples/${name}`, 'utf8')) || links.includes(`examples/${name}`);
    assert.ok(found, name);
  }
});

test('the example of a config file holds nothing but options', () => {
  const { server, host } = configure(['--config', 'examples/config.json']);
  assert.is(host, '0.0.0.0');
  assert.equal(Object.keys(parseOptions(server).streams), ['cam1', 'studio']);
});

/** How the arguments of a command are checked; each throws when one is wrong. */
const PROGRAMS: Record<string, (args: string[], place: string) => void | Promise<void>> = {
  'scripts/start': checkServe,
  'scripts/test': (args) => {
    const only = args.filter((_, index) => args[index - 1] === '--only');
    const stages = ['rules', 'biome', 'tsc', 'fmt', 'clippy', 'cargo'];
    const files = readdirSync('test', { recursive: true }).map(String);
    for (const name of only) assert.ok(stages.includes(name) || files.some((path) => path.includes(name)), name);
    for (const flag of args.filter((arg) => arg.startsWith('-')))
      assert.ok(['--all', '--only', '--runtime'].includes(flag), flag);
  },
  'scripts/bench': ([name = ''], place) => assert.ok(existsSync(`test/bench/${name}.ts`), place),
  'fetch-whep': ([command = '', ...args], place) => {
    if (command === 'serve' || command === 'doctor') return checkServe(args, place);
    assert.is(command, 'bench', place);
    if (!args.includes('--help')) parseBenchOptions(args.slice(1));
  },
  node: ([script = '', ...args], place) =>
    script === 'dist/cli.js' ? PROGRAMS['fetch-whep']?.(args, place) : assert.ok(existsSync(script), place),
  npm: (args, place) => assert.equal(args, ['install', 'fetch-whep'], place),
  npx: ([name = ''], place) => assert.ok(existsSync(`node_modules/.bin/${name}`), place),
  // Each is run by test/e2e/documents.ts.
  ffmpeg: () => {},
  curl: async (args, place) => {
    const [, header] = /^(.+)$/.exec(args[args.indexOf('-H') + 1] ?? '') ?? [];
    const [, name, value] = /^([\w-]+): (.+)$/.exec(header ?? '') ?? [];
    const headers = new Headers(name === undefined || value === undefined ? {} : { [name]: value });
    const adminToken = value === undefined ? undefined : 'SECRET';
    const server = await createServer({ engine: new FakeEngine(), adminToken, streams: { cam1: 'clip' } });
    const { status } = await server.fetch(new Request(args.at(-1) ?? '', { headers }));
    assert.is(status, 200, place);
    await server.close();
  },
  sysctl: ([flag, setting = ''], place) => {
    const [name = '', value] = setting.split('=');
    assert.is(flag, '-w', place);
    // Not every container shows /proc/sys/net/core: what doctor reads is what counts.
    assert.ok(readFileSync('src/cli/doctor/machine.ts', 'utf8').includes(name), place);
    assert.match(value ?? '', /^\d+$/, place);
  },
  systemctl: (args, place) => {
    assert.equal(args, ['enable', '--now', 'fetch-whep'], place);
    assert.ok(existsSync('docs/fetch-whep.service'), place);
  },
  docker: ([command, ...args], place) => {
    if (command === 'build') {
      assert.ok(existsSync(args[args.indexOf('-f') + 1] ?? ''), place);
    } else {
      assert.is(command, 'run', place);
      checkServe(args.slice(args.indexOf('fetch-whep') + 1), place);
    }
  },
};

/** A description that FFmpeg has written, in the place of the reader's. */
function withFile(source: string): string {
  return source.replace(/^sdp:.*/, 'sdp:test/support/sessions/ffmpeg-h264-opus.sdp');
}

/** What `fetch-whep serve` would make of its arguments, but for files that only the reader has. */
function checkServe(args: string[], place: string): void {
  if (args.includes('--help')) return;
  const runtime = args.indexOf('--runtime');
  const own = runtime < 0 ? args : args.toSpliced(runtime, 2);
  const { host, port, tlsCert, tlsKey, logLevel, logFormat, config, ...server } = parseFlags(own, 'serve', []);
  assert.ok(config === undefined || existsSync(`examples/${config}`), place);
  const streams = Object.entries(Object(server.streams)).map(([id, source]) => [id, withFile(String(source))]);
  parseOptions({ ...server, ...(server.streams ? { streams: Object.fromEntries(streams) } : {}) } as ServerOptions);
}

test('every command exists and takes its options', async () => {
  for (const { place, words } of commands()) {
    const [program = '', ...args] = words[0] === 'sudo' ? words.slice(1) : words;
    const check = PROGRAMS[program];
    assert.ok(check, `${place}: no check for ${program}`);
    try {
      await check(args, place);
    } catch (error) {
      throw new Error(`${place}: ${words.join(' ')}: ${error instanceof Error ? error.message : error}`);
    }
  }
});

/** Options of other programs, and of scripts that the checks above know. */
const FOREIGN = ['--omit', '--runtime', '--only', '--all', '--help', '--version', '--json'];

test('every option in a sentence is one of the command', () => {
  const source = readFileSync('src/cli/bench/options.ts', 'utf8');
  const bench = [...source.matchAll(/name: '([\w-]+)'/g)].map(([, name]) => `--${name}`);
  const known = [...FLAGS.map(({ name }) => `--${name}`), ...bench, ...FOREIGN];
  for (const document of DOCUMENTS) {
    const sentences = readFileSync(document, 'utf8').replace(/^```.*?^```$/gms, '');
    for (const [, code = ''] of sentences.matchAll(/`([^`]+)`/g)) {
      for (const [option] of code.matchAll(/(?<!\S)--[a-z][a-z-]*/g)) {
        assert.ok(known.includes(option), `${document}: ${option}`);
      }
    }
  }
});

test('every link to a file or a heading leads somewhere', () => {
  for (const document of DOCUMENTS) {
    const text = readFileSync(document, 'utf8');
    const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const found = target.startsWith('#')
        ? anchors.includes(target.slice(1))
        : existsSync(new URL(target, `file://${process.cwd()}/${document}`));
      assert.ok(found, `${document}: ${target}`);
    }
  }
});

/** As GitHub makes them. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .replaceAll(' ', '-');
}

test.run();

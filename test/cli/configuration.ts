import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UsageError } from '../../src/cli/arguments.ts';
import { configure } from '../../src/cli/configuration.ts';
import { printed } from '../../src/cli/print.ts';
import { TOKENS } from '../../src/cli/tokens.ts';

const test = suite('configuration');
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-test-'));

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.after.each(() => {
  for (const { variable } of TOKENS) delete process.env[variable];
});

function file(content: unknown, name = 'c.json'): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** What is said about a command line that is wrong, without the folder of the file. */
function complaint(args: string[]): string {
  try {
    configure(args);
  } catch (error) {
    if (error instanceof UsageError) return error.message.replaceAll(`${folder}/`, '');
    throw error;
  }
  return 'nothing is wrong';
}

const wrongArguments: [args: string[], message: string | RegExp][] = [
  [['--nonsense'], '--nonsense: no such option: see fetch-whep serve --help'],
  [['-p', '80'], '-p: no such option: see fetch-whep serve --help'],
  [['--prot', '80'], '--prot: no such option; did you mean --port?'],
  [['--maxViewers', '80'], '--maxViewers: no such option; did you mean --max-viewers?'],
  [['stray'], 'stray: not an option: see fetch-whep serve --help'],
  [['--port'], '--port: its value is missing: see fetch-whep serve --help'],
  [['--port', '--host'], '--port: its value is missing: see fetch-whep serve --help'],
  [['--print-config=yes'], '--print-config: takes no value: see fetch-whep serve --help'],
  [['--port', 'http'], '--port: give a TCP port from 0 to 65535'],
  [['--port', 'x', '--log-level', 'x'], /^--port: give a TCP port .*\n--log-level: give trace, /],
  [['--port', '65536'], '--port: give a TCP port from 0 to 65535'],
  [['--host', ''], '--host: give an address of this machine'],
  [['--media-host', 'localhost'], '--media-host: give an IP address of this machine'],
  [['--media-port', '70000'], '--media-port: give a UDP port'],
  [['--announce', 'example.org'], '--announce: give an IP address: browsers take no names in candidates'],
  [['--stream', 'cam1'], '--stream cam1: write ID=SOURCE, for example cam1=rtp:5004,5006'],
  [['--stream', 'cam1=tape:5'], /^--stream cam1: write rtp:VIDEOPORT\[,AUDIOPORT\], sdp:FILE, /],
  [['--stream', 'cam1=rtp:99999'], '--stream cam1: give a UDP port from 0 to 65535 (0 lets the system choose)'],
  [['--stream', 'a/b=clip'], /^--stream a\/b: a stream id is 1 to 128 characters of /],
  [['--max-viewers', 'many'], '--max-viewers: give a whole number of at least 1, or Infinity'],
  [['--max-viewers-per-stream', '0'], '--max-viewers-per-stream: give a whole number of at least 1'],
  [['--shards', '1000'], '--shards: give at most 256 shards'],
  [['--engine', 'steam'], '--engine: give auto, native or portable'],
  [['--conformance', 'loose'], '--conformance: give classic or draft'],
  [['--strict-profiles', 'maybe'], '--strict-profiles: give true or false'],
  [['--log-level', 'loud'], '--log-level: give trace, debug, info, warning, error or fatal'],
  [['--log-format', 'xml'], '--log-format: give pretty or json'],
  [['--base-path', 'live'], '--base-path: give an absolute path such as /live'],
  [['--ice-server', 'example.org'], /^--ice-server: give a URI such as stun:host:3478 /],
  [['--token', 'two words'], '--token: a secret is one or more printable ASCII characters without spaces'],
  [['--open', 'everything'], '--open: give a list of watch, publish and observe'],
  [['--open', 'watch', '--token', 'x'], '--open: watch has a token or a hook: leave out either'],
  [['--token', 'x', '--token-file', 'y'], '--token-file: leave out either this or --token'],
  [['--admin-token-file', '/nowhere/t'], '--admin-token-file /nowhere/t: cannot be read (ENOENT)'],
  [['--trusted-proxy', '10.0.0.0/33'], '--trusted-proxy: give an address or a network such as 10.0.0.0/8'],
  [
    ['--trusted-proxy', '::1', '--trusted-proxy', 'proxy'],
    '--trusted-proxy: give an address or a network such as 10.0.0.0/8',
  ],
  [['--base-path-stripped', 'maybe'], '--base-path-stripped: give true or false'],
  [['--tls-cert', 'x.pem'], '--tls-cert: give the key as well (--tls-key)'],
  [['--tls-key', 'x.pem'], '--tls-key: give the certificate as well (--tls-cert)'],
  [['--tls-cert', '/nowhere/c.pem', '--tls-key', 'k.pem'], '--tls-cert /nowhere/c.pem: cannot be read (ENOENT)'],
  [['--config', '/nowhere/c.json'], '--config /nowhere/c.json: cannot be read (ENOENT)'],
];

for (const [args, message] of wrongArguments) {
  test(`serve ${args.join(' ')}`, () => {
    if (typeof message === 'string') assert.is(complaint(args), message);
    else assert.match(complaint(args), message);
  });
}

const wrongFiles: [content: unknown, message: string][] = [
  ['hello', "--config c.json: not JSON: unexpected character 'h' in line 1, column 1"],
  ['', '--config c.json: not JSON: unexpected end of input in line 1, column 1'],
  ['{\n  "port": 1\n  "host": "x"\n}', '--config c.json: not JSON: unexpected string in line 3, column 3'],
  ['{"host": "a\nb"}', '--config c.json: not JSON: a string holds a character that has to be escaped'],
  ['[]', '--config c.json: the file has to hold one JSON object'],
  ['null', '--config c.json: the file has to hold one JSON object'],
  [{ maxViewer: 3 }, 'c.json: maxViewer: no such option; did you mean maxViewers?'],
  [{ 'max-viewers': 3 }, 'c.json: max-viewers: no such option; did you mean maxViewers?'],
  [{ loglevel: 'info' }, 'c.json: loglevel: no such option; did you mean logLevel?'],
  [{ stream: {} }, 'c.json: stream: no such option; did you mean streams?'],
  [{ config: 'x.json' }, 'c.json: config: no such option; remove it or correct its name'],
  [
    { a: 1, b: 2 },
    'c.json: a: no such option; remove it or correct its name\nc.json: b: no such option; remove it or correct its name',
  ],
  [{ streams: ['clip'] }, 'c.json: streams: give an object of streams by id, such as { "cam1": "rtp:5004,5006" }'],
  [
    { streams: { cam1: { rtp: { vidoe: 5004 } } } },
    'c.json: streams.cam1.rtp.vidoe: no such option; did you mean video?\nc.json: streams.cam1.rtp: needs a video port, an audio port or both',
  ],
  [
    { streams: { cam1: { rtp: { video: 'x' } } } },
    'c.json: streams.cam1.rtp.video: give a UDP port from 0 to 65535 (0 lets the system choose)',
  ],
  [
    { streams: { cam1: { rtp: { video: 0, host: 'localhost' } } } },
    'c.json: streams.cam1.rtp.host: give an IP address of this machine to bind',
  ],
  [{ turn: { url: 'turn:x', urls: 'turn:x', secret: 's' } }, 'c.json: turn.url: no such option; did you mean urls?'],
  [{ tlsCert: '/nowhere/c.pem', tlsKey: 'k.pem' }, 'c.json: tlsCert /nowhere/c.pem: cannot be read (ENOENT)'],
  [{ port: 'x' }, 'c.json: port: give a TCP port from 0 to 65535'],
  [{ token: 'x', tokenFile: 'y' }, 'c.json: tokenFile: leave out either this or c.json: token'],
  [{ observeTokenFile: 1 }, 'c.json: observeTokenFile: give the path of a file'],
  [{ publishTokenFile: '/nowhere/t' }, 'c.json: publishTokenFile /nowhere/t: cannot be read (ENOENT)'],
  [{ trustedProxies: '::1' }, 'c.json: trustedProxies: give an address or a network such as 10.0.0.0/8, in a list'],
  [{ trustedProxies: ['x'] }, 'c.json: trustedProxies.0: give an address or a network such as 10.0.0.0/8'],
  [
    { maxViewers: 0, shards: 0 },
    'c.json: shards: give a whole number of at least 1\nc.json: maxViewers: give a whole number of at least 1',
  ],
  [
    { authorize: true },
    'c.json: authorize: give a function, or an object with one for each of watch, publish, observe and admin: leave it out of a file',
  ],
];

for (const [content, message] of wrongFiles) {
  test(`config file ${JSON.stringify(content)}`, () => {
    assert.is(complaint(['--config', file(content)]), message);
  });
}

test('each token can be given by a flag, a file, the config file and the environment', () => {
  const path = file('of-a-file\r\nof another line\n', 'token');
  for (const { option, file: fileOption, flag, variable } of TOKENS) {
    const token = (...args: string[]) => configure(args).settings[option];
    assert.is(token(`--${flag}`, 'of-a-flag'), 'of-a-flag');
    assert.is(token(`--${flag}-file`, path), 'of-a-file');
    assert.is(token('--config', file({ [option]: 'of-a-config' })), 'of-a-config');
    assert.is(token('--config', file({ [fileOption]: path })), 'of-a-file');
    assert.is(token(), undefined);
    process.env[variable] = 'of-the-environment';
    assert.is(token(), 'of-the-environment');
    assert.is(token('--config', file({ [fileOption]: path })), 'of-a-file');
    assert.is(token('--config', file({ [fileOption]: '/nowhere' }), `--${flag}`, 'of-a-flag'), 'of-a-flag');
    assert.is(token('--config', file({ [option]: 'of-a-config' }), `--${flag}-file`, path), 'of-a-file');
    process.env[variable] = '';
    assert.is(token(), undefined);
  }
});

test('a wrong token is called by the place that it comes from', () => {
  const cure = 'a secret is one or more printable ASCII characters without spaces';
  for (const { option, file: fileOption, flag, variable } of TOKENS) {
    process.env[variable] = 'two words';
    assert.is(complaint([]), `${variable}: ${cure}`);
    const path = file('two words\n', 'token');
    assert.is(complaint([`--${flag}-file`, path]), `--${flag}-file token: ${cure}`);
    assert.is(complaint(['--config', file({ [fileOption]: path })]), `c.json: ${fileOption} token: ${cure}`);
    assert.is(complaint(['--config', file({ [option]: 'two words' })]), `c.json: ${option}: ${cure}`);
    for (const text of ['', '\n', '\nsecret\n']) {
      assert.match(complaint([`--${flag}-file`, file(text, 'token')]), `--${flag}-file token: its first line is empty`);
    }
    delete process.env[variable];
  }
});

test('certificate and key have to belong together', () => {
  const cert = 'test/support/tls/cert.pem';
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const key = file(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  assert.is(
    complaint(['--tls-cert', cert, '--tls-key', key]),
    '--tls-key c.json: it is not the key of the certificate',
  );
  assert.is(
    complaint(['--tls-cert', key, '--tls-key', key]),
    '--tls-cert c.json: give a certificate chain in PEM, that of the server first',
  );
  assert.is(
    complaint(['--tls-cert', cert, '--tls-key', cert]),
    `--tls-key ${cert}: give a private key in PEM, without a passphrase`,
  );
});

test('of two places that say something else, the fault is called by the one that counts', () => {
  const config = file({ port: 'x', streams: { a: 'tape', b: 'clip' } });
  assert.match(complaint(['--config', config, '--port', 'y']), /^--port: /);
  assert.match(
    complaint(['--config', config, '--port', '1', '--stream', 'b=tape']),
    /^c\.json: streams\.a: [^\n]+\n--stream b: /,
  );
});

test('the command line wins over the file, the file over the environment; streams add up', () => {
  process.env.FETCH_WHEP_TOKEN = 'environment';
  const config = file({ token: 'file', port: 1, basePath: '/a', streams: { a: 'clip', b: 'rtp:0' } });
  const { port, settings } = configure(['--config', config, '--port', '2', '--stream', 'b=push']);
  assert.equal([port, settings.token, settings.basePath], [2, 'file', '/a']);
  assert.equal(
    Object.entries(settings.streams).map(([id, source]) => [id, ...Object.keys(source)]),
    [
      ['a', 'clip'],
      ['b', 'push'],
    ],
  );
  assert.is(configure(['--config', config, '--token', 'flag']).settings.token, 'flag');
  assert.is(configure([]).settings.token, 'environment');
});

test('without a word about streams there is the demo', () => {
  assert.equal(Object.keys(configure([]).settings.streams), ['demo']);
  assert.equal(Object.keys(configure(['--config', file({})]).settings.streams), []);
  assert.equal(Object.keys(configure(['--stream', 'x=clip']).settings.streams), ['x']);
});

test('repeatable options make a list, of others the last counts', () => {
  const args = [
    '--announce',
    '192.0.2.1',
    '--announce=2001:db8::1',
    '--ice-server',
    'stun:a',
    '--ice-server',
    'stun:b',
  ];
  const { settings } = configure([...args, '--shards', '1', '--shards', '2']);
  assert.equal(settings.announce, ['192.0.2.1', '2001:db8::1']);
  assert.equal(settings.iceServers, [{ urls: 'stun:a' }, { urls: 'stun:b' }]);
  assert.is(settings.shards, 2);
});

test('media stays on loopback when HTTP does, unless told otherwise', () => {
  const mediaHost = (...args: string[]) => configure(args).settings.mediaHost;
  assert.equal([mediaHost(), mediaHost('--host', 'localhost')], ['127.0.0.1', '127.0.0.1']);
  assert.equal([mediaHost('--host', '127.0.0.2'), mediaHost('--host', '::1')], ['127.0.0.2', '::1']);
  assert.equal([mediaHost('--host', '0.0.0.0'), mediaHost('--host', '::')], [undefined, undefined]);
  assert.is(mediaHost('--media-host', '192.0.2.1'), '192.0.2.1');
  // Viewers of a proxy are elsewhere, and media does not go through it.
  assert.is(mediaHost('--trusted-proxy', '127.0.0.1'), undefined);
});

test('what is printed is a config file that means the same', () => {
  const args = [
    ...['--host', '::1', '--stream', 'a=rtp:5004', '--max-viewers-per-stream', 'none', '--log-level', 'debug'],
    ...['--publish-token-file', file('of-a-file', 'token'), '--open', 'watch', '--open', 'observe'],
    ...['--trusted-proxy', '10.0.0.0/8', '--base-path', '/live', '--base-path-stripped', 'on'],
  ];
  const first = configure(args);
  const again = configure(['--config', file(printed(first))]);
  assert.equal(printed(again), printed(first));
  assert.equal(again.settings, first.settings);
  assert.equal([again.settings.open, again.settings.publishToken], [['watch', 'observe'], 'of-a-file']);
  assert.equal([again.trustedProxies, again.settings.basePathStripped], [['10.0.0.0/8'], true]);
});

test('secrets are printed nowhere, wherever they were given', () => {
  process.env.FETCH_WHEP_TOKEN = 'hush-1';
  const config = file({
    adminToken: 'hush-2',
    publishToken: 'hush-8',
    observeTokenFile: file('hush-9', 'token'),
    turn: { urls: 'turn:x', secret: 'hush-3' },
    iceServers: [{ urls: 'turn:y', username: 'me', credential: 'hush-4' }],
    streams: {
      cam: 'ffmpeg:rtsp://user:hush-5@camera.test/live?key=hush-6',
      box: { ffmpeg: { input: 'http://box.test/live', args: ['-headers', 'Authorization: hush-7'] } },
    },
  });
  const text = printed(configure(['--config', config]));
  assert.not.match(text, /hush/);
  assert.is(text.match(/\*\*\*/g)?.length, 8);
});

test.run();

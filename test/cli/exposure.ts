import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configure } from '../../src/cli/configuration.ts';
import { accessChecks } from '../../src/cli/exposure.ts';

const test = suite('what an operator hears of who may do what');

const reachable = ['--host', '0.0.0.0'];
const https = ['--tls-cert', 'test/support/tls/cert.pem', '--tls-key', 'test/support/tls/key.pem'];

/** The finding of each check by its name, with an exclamation mark before the name of a warning. */
function told(...args: string[]): Record<string, string> {
  const checks = accessChecks(configure(args));
  return Object.fromEntries(checks.map(({ name, verdict, found }) => [verdict === 'ok' ? name : `!${name}`, found]));
}

test('with nothing decided, this machine may do all there is; beyond it that is a warning', () => {
  assert.equal(Object.keys(told()), ['access']);
  assert.match(told().access ?? '', 'this machine');
  assert.equal(Object.keys(told('--host', '::1')), ['access']);
  const open = told(...reachable);
  assert.equal(Object.keys(open), ['!access', '!rate limit']);
  assert.match(open['!access'] ?? '', /0\.0\.0\.0 may watch, publish and observe/);
});

test('a server on loopback behind a proxy is reached by others', () => {
  assert.equal(Object.keys(told('--trusted-proxy', '127.0.0.1')), ['!access', '!rate limit']);
  assert.equal(Object.keys(told('--trusted-proxy', '127.0.0.1', '--token', 'x')), ['access', '!rate limit']);
});

test('what is closed is named with what opens it', () => {
  const { access = '' } = told('--publish-token', 'x', '--open', 'watch');
  assert.match(access, /watch: everybody; publish: with a token; /);
  assert.match(access, /observe: nobody \(--observe-token or --open observe\); admin: nobody \(--admin-token\)$/);
});

test('what is closed and needed is a warning', () => {
  assert.equal(Object.keys(told('--token', 'x', '--stream', 'a=clip')), ['access']);
  const unpublished = told('--token', 'x', '--stream', 'studio=whip', '--stream', 'a=clip');
  assert.equal(Object.keys(unpublished), ['access', '!publishing']);
  assert.match(unpublished['!publishing'] ?? '', /studio$/);
  const cures = accessChecks(configure(['--admin-token', 'x'])).map(({ cure }) => cure);
  assert.equal(cures, [undefined, 'give --token or --open watch']);
});

test('tokens in clear text are a warning where others may listen', () => {
  const named = (...args: string[]) => Object.keys(told(...args)).includes('!tokens');
  assert.ok(named(...reachable, '--token', 'x'));
  assert.ok(named(...reachable, '--admin-token', 'x', '--open', 'watch'));
  assert.not(named(...reachable, '--open', 'watch'));
  assert.not(named(...reachable, '--token', 'x', ...https));
  assert.not(named(...reachable, '--token', 'x', '--trusted-proxy', '10.0.0.1'));
  assert.not(named('--token', 'x'));
});

test.run();

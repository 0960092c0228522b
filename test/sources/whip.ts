import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseFlags } from '../../src/cli/flags.ts';
import { PUBLISHED_CODECS } from '../../src/engine/codecs.ts';
import { Failure } from '../../src/errors.ts';
import { parseOptions, parseSource, type ServerOptions } from '../../src/options.ts';
import { admit } from '../../src/sources/admit.ts';
import { createSource } from '../../src/sources/create.ts';
import { sourceSchema } from '../../src/sources/spec.ts';
import { validate } from '../../src/validate.ts';

const test = suite('what publishers may send');

/** By a server with these options, for a stream that says this. */
function allowed(options: Pick<ServerOptions, 'codecs'>, codecs?: readonly string[]): readonly string[] | undefined {
  const { codecs: ofAll } = parseOptions(options);
  const source = validate(sourceSchema, { whip: { ...(codecs && { codecs }) } }, 'cam');
  return createSource(parseSource(source, 'cam'), { codecs: ofAll }).codecs;
}

function fault(options: object): string {
  try {
    parseOptions(options);
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
  return 'nothing is wrong';
}

const SOUNDS = ['opus', 'g722', 'pcmu', 'pcma'];

test('a stream says it, or the server, or nobody; what one of them leaves open stays open', () => {
  assert.is(allowed({}), undefined);
  assert.equal(allowed({}, ['vp9', 'h264', 'opus']), ['vp9', 'h264', 'opus']);
  assert.equal(allowed({ codecs: ['vp8', 'opus'] }), ['vp8', 'opus']);
  assert.equal(allowed({ codecs: ['vp8', 'opus'] }, ['av1', 'pcmu']), ['av1', 'pcmu']);
  assert.equal(allowed({}, ['hevc']), ['h265', ...SOUNDS]);
  assert.equal(allowed({}, ['multiopus', 'opus']), ['multiopus', 'opus', ...PUBLISHED_CODECS.slice(0, 5)]);
});

test('it holds for streams of the admin API too', async () => {
  const source = await admit(validate(sourceSchema, 'whip', 'source'), ['whip'], ['av1', 'opus']);
  assert.equal(source.codecs, ['av1', 'opus']);
});

test('the command line takes a list, and names that are none are refused', () => {
  assert.equal(parseOptions(parseFlags(['--codecs', 'vp9,h264,opus'], 'serve', [])).codecs, ['vp9', 'h264', 'opus']);
  for (const codecs of [[], ['theora'], ['vp8', 'vp8'], ['h265', 'hevc'], 'vp8']) {
    assert.match(fault({ codecs }), /^options\.codecs(\.0)?: give a list of h264, vp8/);
    assert.match(
      fault({ streams: { cam: { whip: { codecs } } } }),
      /^options\.streams\.cam\.whip\.codecs(\.0)?: give a/,
    );
  }
});

test.run();

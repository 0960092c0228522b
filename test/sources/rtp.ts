import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Ingress } from '../../src/engine/port.ts';
import { Failure } from '../../src/errors.ts';
import { parseSource } from '../../src/options.ts';
import { createSource } from '../../src/sources/create.ts';
import type { SourceInput } from '../../src/sources/spec.ts';
import { ingressOf } from '../support/legs.ts';

const test = suite('rtp sources');

function ingress(source: SourceInput): Promise<Ingress> {
  return ingressOf(createSource(parseSource(source, 'cam')));
}

/** As a file could hold it, whatever the schema's type says. */
function fault(source: unknown): string {
  try {
    parseSource(source as SourceInput, 'cam');
  } catch (error) {
    if (error instanceof Failure && error.code === 'invalid-options') return error.message;
    throw error;
  }
  return 'nothing is wrong';
}

const legs = (video: object | undefined, audio?: object) => ({
  ...{ kind: 'rtp', host: '127.0.0.1' },
  ...(video && { video }),
  ...(audio && { audio }),
});

test('a port alone is H264 or Opus, and a codec can stand behind it', async () => {
  const cases: [source: string, expected: object][] = [
    ['rtp:5004,5006', legs({ port: 5004, codec: 'h264' }, { port: 5006, codec: 'opus' })],
    ['rtp:0', legs({ port: 0, codec: 'h264' })],
    ['rtp:,5006', legs(undefined, { port: 5006, codec: 'opus' })],
    ['rtp:5004/vp9,5006/pcmu', legs({ port: 5004, codec: 'vp9' }, { port: 5006, codec: 'pcmu' })],
    ['rtp:5004/hevc', legs({ port: 5004, codec: 'h265' })],
    ['rtp:,5006/g722', legs(undefined, { port: 5006, codec: 'g722' })],
  ];
  for (const [source, expected] of cases) {
    assert.equal(await ingress(source), expected, source);
    const parsed = createSource(parseSource(source, 'cam'));
    assert.is(parsed.describe(), source.replace('hevc', 'h265'));
  }
});

test('the object says all that a leg can be told', async () => {
  const sps = 'Z2QADayyAoM/PgIgAAADACAAAAeB4oVJ';
  const source = {
    rtp: {
      host: '::1',
      video: { port: 5004, rtcpPort: 5010, payloadType: 96, parameters: { 'Sprop-Parameter-Sets': `${sps},aOvDyyLA` } },
      audio: { port: 5006, codec: 'multiopus', parameters: { channel_mapping: '0,4,1,2,3,5' } },
    },
  } as const;
  const { video, audio, ...rest } = (await ingress(source)) as Ingress & { kind: 'rtp' };
  const { sets = [], ...leg } = video ?? { sets: [] };
  assert.equal(rest, { kind: 'rtp', host: '::1' });
  assert.equal(leg, { port: 5004, rtcpPort: 5010, codec: 'h264', payloadType: 96 });
  assert.equal(
    sets.map((set) => [set.length, (set[0] ?? 0) & 0x1f]),
    [
      [24, 7],
      [6, 8],
    ],
  );
  assert.equal(audio, { port: 5006, codec: 'multiopus', channels: 6 });
  const given = await ingress({ rtp: { audio: { port: 0, codec: 'multiopus', channels: 3 } } });
  assert.equal(given, legs(undefined, { port: 0, codec: 'multiopus', channels: 3 }));
});

test('what is parsed can be parsed again, as a config that was printed', async () => {
  for (const source of ['rtp:5004/vp9,5006/pcmu', 'push', { push: { audio: 'g722' } }, { whip: { codecs: ['av1'] } }]) {
    const once = parseSource(source as SourceInput, 'cam');
    assert.equal(parseSource(JSON.parse(JSON.stringify(once)), 'cam'), once);
  }
});

test('what cannot be meant is refused by its place', () => {
  const cases: [source: unknown, expected: RegExp][] = [
    ['rtp:5004/theora', /^cam: give one of h264, vp8, vp9, av1, h265$/],
    ['rtp:5004/opus', /^cam: give one of h264/],
    ['rtp:,5006/aac', /^cam: give one of opus, g722/],
    ['rtp:5004,5006,5008', /^cam: give a UDP port/],
    ['rtp:5004@96', /^cam: give a UDP port/],
    ['rtp:,5006/multiopus', /^cam: multiopus has 3 to 8 channels/],
    [{ rtp: { video: { codec: 'vp9' } } }, /^cam\.rtp\.video\.port: give a UDP port/],
    [{ rtp: { video: { port: 1, codec: 'vp7' } } }, /^cam\.rtp\.video\.codec: give one of/],
    [{ rtp: { video: { port: 1, payloadType: 128 } } }, /^cam\.rtp\.video\.payloadType: give a payload type/],
    [{ rtp: { video: { port: 1, codek: 'vp9' } } }, /^cam\.rtp\.video\.codek: no such option; did you mean codec\?$/],
    [{ rtp: { video: { port: 1, channels: 6 } } }, /^cam\.rtp\.video\.channels: no such option/],
    [{ rtp: { video: { port: 1, parameters: { x: 1 } } } }, /^cam\.rtp\.video\.parameters\.x: give the parameters/],
    [
      { rtp: { video: { port: 1, codec: 'h265', parameters: { 'tx-mode': 'MRMT' } } } },
      /^cam\.rtp\.video\.parameters: tx-mode/,
    ],
    [{ rtp: { video: { port: 4, rtcpPort: 7 }, audio: 6 } }, /^cam\.rtp: keep the ports/],
    [{ rtp: { video: { port: 4, rtcpPort: 9 }, audio: 5 } }, /^nothing is wrong$/],
    [{ rtp: { audio: { port: 1, codec: 'multiopus' } } }, /^cam\.rtp\.audio\.channels: multiopus/],
    [{ rtp: { audio: { port: 1, codec: 'multiopus', channels: 9 } } }, /^cam\.rtp\.audio\.channels: multiopus/],
  ];
  for (const [source, expected] of cases) assert.match(fault(source), expected, JSON.stringify(source));
});

test.run();

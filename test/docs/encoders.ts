import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ENCODERS } from '../../src/sources/ffmpeg/encoders.ts';
import { lacksAv1, versionOf } from '../../src/sources/ffmpeg/version.ts';

// The options of FFmpeg in the guide's table, which are no commands.
const test = suite('encoders in the documents');

const rows = [...readFileSync('docs/guide.md', 'utf8').matchAll(/^\| ([^|]+) \| `(-c:([va]) (\S+) [^`]*)` \|$/gm)];
const version = versionOf(execFileSync('ffmpeg', ['-version'], { encoding: 'utf8' }));

test('every codec but those of the line above has its row', () => {
  const named = rows.map(([, , , , encoder = '']) => encoder);
  const { h264, opus, pcma, ...others } = ENCODERS;
  assert.equal(named.toSorted(), Object.values(others).toSorted());
  assert.ok([h264, opus, pcma].every((name) => readFileSync('docs/guide.md', 'utf8').includes(name)));
});

for (const [, codec = '', options = '', leg = ''] of rows) {
  test(`FFmpeg takes the options for ${codec}`, () => {
    const input = leg === 'v' ? 'testsrc2=size=320x180:rate=30:duration=0.2' : 'sine=duration=0.2';
    const able = !codec.startsWith('AV1') || !lacksAv1(version);
    const output = able ? ['-f', 'rtp', 'rtp://127.0.0.1:9?pkt_size=1200'] : ['-f', 'null', '-'];
    const args = ['-nostdin', '-loglevel', 'error', '-f', 'lavfi', '-i', input, ...options.split(' '), ...output];
    execFileSync('ffmpeg', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  });
}

test.run();

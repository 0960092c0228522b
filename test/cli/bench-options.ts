import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bench } from '../support/bench.ts';

const test = suite('options of fetch-whep bench');

const wrong: [args: string[], line: RegExp][] = [
  [[], /the name of a benchmark is missing: see fetch-whep bench --help/],
  [['race'], /unknown benchmark race: see fetch-whep bench --help/],
  [['fanout', '--nonsense'], /--nonsense.*: see fetch-whep bench --help/],
  [['fanout', '--viewers', 'many'], /--viewers: give numbers of viewers/],
  [['fanout', '--viewers', '10,,20'], /--viewers: give numbers of viewers/],
  [['fanout', '--secs', '0'], /--secs: give a whole number of seconds/],
  [['fanout', '--fps', '7'], /--fps: give 5, 10/],
  [['fanout', '--url', 'https://127.0.0.1/whep/cam1'], /--url: give the http:\/\/ URL/],
  [['fanout', '--pid', '1'], /--pid and --rtp belong to --url/],
  [['join', '--runtime', 'rhino'], /--runtime: give node, bun or deno/],
  [
    ['churn', '--url', 'http://127.0.0.1/whep/cam1', '--shards', '2'],
    /--shards, --runtime and --compare are for a server of our own/,
  ],
  [['fanout', '--compare', 'steam'], /--compare: give portable/],
  [['join', '--profile', 'null'], /--profile: give one of aead-aes-128-gcm, aead-aes-256-gcm, aes-cm-sha1/],
  [['fanout', '--packets', '9'], /--packets: give a number of packets/],
  [['fanout', '--codec', 'h264,mpeg2'], /--codec: give one or several of h264, vp8, vp9, av1, h265/],
  [['fanout', '--codec', 'vp8', '--compare', 'portable'], /--compare .* --codec/],
  [['fanout', '--codec', 'vp8', '--audio-only'], /--codec .* --audio-only/],
  [['join', '--rate', '0'], /--rate: give a number of joins/],
  [['fanout', '--video-only', '--audio-only'], /--video-only and --audio-only/],
  [['fanout', '--video-only=yes'], /--video-only: takes no value/],
  [['churn', '--rounds', '3'], /--rounds is for fanout/],
  [['fanout', '--rounds', '0'], /--rounds: give a number of rounds/],
  [['join', '--sender-only'], /--sender-only is for fanout/],
  [['fanout', '--sender-only', '--url', 'http://127.0.0.1/whep/cam1'], /--sender-only .* --url/],
  [['fanout', '--sender-only', '--compare', 'portable'], /--compare .* --sender-only/],
];

for (const [args, line] of wrong) {
  test(`${['bench', ...args].join(' ')} is refused in one line`, async () => {
    const child = bench(...args);
    assert.is((await child.ending()).code, 2);
    assert.is(child.stdout, '');
    assert.match(child.stderr, line);
    assert.is(child.stderr.trim().split('\n').length, 1);
  });
}

test('bench --help names every benchmark and option', async () => {
  const child = bench('--help');
  assert.is((await child.ending()).code, 0);
  const options = ['--viewers', '--secs', '--url', '--pid', '--rtp', '--json', '--packets', '--rate'];
  for (const word of [
    'fanout',
    'join',
    'churn',
    ...options,
    '--codec',
    '--video-only',
    '--audio-only',
    '--sender-only',
    '--rounds',
  ]) {
    assert.ok(child.stdout.includes(word), word);
  }
});

test.run();

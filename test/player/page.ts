import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StreamFacts } from '../../src/engine/port.ts';
import { indexPage, type Listed, playerPage } from '../../src/http/player.ts';
import { h264Facts } from '../support/facts.ts';

const test = suite('pages');

function between(html: string, element: string): string {
  const found = new RegExp(`<${element}>(.*?)</${element}>`, 's').exec(html)?.[1];
  if (found === undefined) throw new Error(`no ${element} in the page`);
  return found;
}

function listed(id: string): Listed {
  return { id, state: 'live', viewers: 0, media: undefined, described: {} };
}

function mediaOf(facts: StreamFacts): Listed['media'] {
  const none = { viewers: 0, nacks: 0, retransmissions: 0, keyframeRequests: 0, warnings: [] };
  return { id: 'cam1', facts, ...none };
}

function hash(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

test('the policy allows the page its own script and style and nothing else', () => {
  const { html, csp } = playerPage('cam1');
  assert.match(csp, "default-src 'none'");
  assert.match(csp, `script-src ${hash(between(html, 'script'))}`);
  assert.match(csp, `style-src ${hash(between(html, 'style'))}`);
  assert.not.match(csp, 'unsafe');
  assert.not.match(html, /\son\w+=|\sstyle=|javascript:/i);
  // Its own icon, and the way back to the list.
  assert.not.match(html, /\ssrc=|\shref="(?!data:image\/svg\+xml,|\.\.\/")/);
});

test('an index runs no script', () => {
  assert.not.match(indexPage([listed('cam1')]).csp, 'script-src');
});

test('ids cannot break out of the page', () => {
  const hostile = `"><script>alert(1)</script>&'`;
  const escaped = '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#39;';
  for (const { html } of [playerPage(hostile), indexPage([listed(hostile)])]) {
    assert.not.match(html, hostile);
    assert.match(html, escaped);
  }
});

test('pages stay small', () => {
  const bytes = Buffer.byteLength(playerPage('x'.repeat(128)).html);
  assert.ok(bytes < 20_000, `${bytes} bytes`);
});

test('the index tells what each stream carries and how many watch', () => {
  const video = h264Facts('42c01f', { width: 1280, height: 720, framesPerSecond: 29.97 });
  const carried = (facts: StreamFacts) => indexPage([{ ...listed('cam1'), viewers: 1, media: mediaOf(facts) }]).html;
  const html = carried({ video, audio: { active: true, codec: 'opus', channels: 2 } });
  assert.match(html, '>H264 · 1280 × 720 · 30 fps · Opus stereo<');
  assert.match(html, '>1 viewer<');
  assert.match(html, 'href="play/cam1"');
  assert.match(html, '<span class="state live">live</span>');
  assert.match(carried({ video: h264Facts() }), '>picture<');
  assert.match(carried({ audio: { active: true, codec: 'opus', channels: 1 } }), '>Opus mono<');
  assert.match(carried({ audio: { active: true, codec: 'multiopus', channels: 6 } }), '>multiopus of 6 channels<');
  assert.match(carried({ audio: { active: false, codec: 'opus' } }), '>sound<');
  const av1 = mediaOf({ video: { active: true, codec: 'av1', parameters: {}, bitDepth: 10, bFrames: false } });
  const described = { profile: 'Main', level: '5.1', tier: 'High' };
  assert.match(indexPage([{ ...listed('cam1'), media: av1, described }]).html, '>AV1 Main 5.1 High tier · 10 bit<');
  assert.match(indexPage([{ ...listed('cam1'), state: 'stalled' }]).html, '<span class="state">stalled</span>');
});

test('an index without streams says so', () => {
  assert.match(indexPage([]).html, 'There is no stream yet.');
});

test.run();

import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { indexPage, playerPage } from '../../src/http/player.ts';

const test = suite('pages');

function between(html: string, element: string): string {
  const found = new RegExp(`<${element}>(.*?)</${element}>`, 's').exec(html)?.[1];
  if (found === undefined) throw new Error(`no ${element} in the page`);
  return found;
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
  assert.not.match(html, /\s(src|href)="(?!data:,")/);
});

test('an index runs no script', () => {
  assert.not.match(indexPage([{ id: 'cam1', state: 'live' }]).csp, 'script-src');
});

test('ids cannot break out of the page', () => {
  const hostile = `"><script>alert(1)</script>&'`;
  const escaped = '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#39;';
  for (const { html } of [playerPage(hostile), indexPage([{ id: hostile, state: hostile }])]) {
    assert.not.match(html, hostile);
    assert.match(html, escaped);
  }
});

test('pages stay small', () => {
  assert.ok(playerPage('cam1').html.length < 20_000);
});

test('an index without streams says so', () => {
  assert.match(indexPage([]).html, 'There is no stream yet.');
});

test.run();

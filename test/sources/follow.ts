import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isPublic, leadsInside } from '../../src/sources/addresses.ts';
import { WhepClient } from '../../src/sources/whep/client.ts';
import { entityTag, type FollowOrigins, follow } from '../../src/sources/whep/follow.ts';
import { Refusal } from '../../src/sources/whep/refusal.ts';

const test = suite('whom the whep source follows');

/** Where it leads, or undefined when that is refused. */
function followed(location: string, from: string, origins: FollowOrigins = []): string | undefined {
  try {
    return follow(location, new URL(from), origins).href;
  } catch (error) {
    assert.instance(error, Refusal);
    return undefined;
  }
}

test('a Location stays on the origin that sent it, unless another one was named', () => {
  const at = 'https://a.example/whep/cam1';
  const cases: [location: string, origins: FollowOrigins, to: string | undefined][] = [
    ['/session/1', [], 'https://a.example/session/1'],
    ['1', [], 'https://a.example/whep/1'],
    ['https://a.example:443/1', [], 'https://a.example/1'],
    ['https://a.example:8443/1', [], undefined],
    ['https://b.example/1', [], undefined],
    ['//b.example/1', [], undefined],
    ['\\\\b.example/1', [], undefined],
    ['https://a.example.b.example/1', ['https://a.example'], undefined],
    ['https://b.example/1', ['https://b.example'], 'https://b.example/1'],
    ['https://c.example/1', ['https://b.example'], undefined],
    ['https://c.example/1', true, 'https://c.example/1'],
  ];
  for (const [location, origins, to] of cases) assert.is(followed(location, at, origins), to, location);
});

test('https never leads to http, and nothing leads where no request can go', () => {
  assert.is(followed('http://a.example/1', 'https://a.example/', true), undefined);
  assert.is(followed('https://a.example/1', 'http://a.example/', true), 'https://a.example/1');
  for (const location of [
    'ftp://a.example/',
    'file:///etc/passwd',
    'https://me:pw@a.example/',
    'http://',
    `/${'x'.repeat(4000)}`,
  ]) {
    assert.is(followed(location, 'http://a.example/', true), undefined, location.slice(0, 40));
  }
});

test('an entity tag is sent on only if it is one, and one alone', () => {
  for (const tag of ['"a"', 'W/"a"', '""']) assert.is(entityTag(tag), tag);
  for (const tag of [null, '', 'a', '"a", "b"', '"a" ', '"a"b"', '*', `"${'x'.repeat(10_000)}"`]) {
    assert.is(entityTag(tag), undefined, String(tag).slice(0, 20));
  }
});

test('private addresses are known in every spelling, and by name', async () => {
  const inside = [
    ...['127.0.0.1', '127.1', '0x7f.1', '0177.0.0.1', '2130706433', '0x7f000001', '017700000001', '0.0.0.0', '0'],
    ...['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '198.18.0.1'],
    ...['224.0.0.1', '239.1.2.3', '255.255.255.255', 'localhost', 'LOCALHOST', '127.0.0.1:8080'],
    ...[
      '[::1]',
      '[::]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '[::127.0.0.1]',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
    ],
    ...['[fe80::1]', '[fd00::1]', '[fc00::1]', '[fec0::1]', '[ff02::1]', '[::1]:8080'],
  ];
  for (const host of inside) assert.is(await leadsInside(host), true, host);
  for (const host of ['8.8.8.8', '203.0.113.7', '172.32.0.1', '100.128.0.1', '[2a00:1450:4001::1]', '8.8.8.8:80']) {
    assert.is(await leadsInside(host), false, host);
  }
});

test('a public address of this machine leads to this machine', () => {
  assert.equal([isPublic('203.0.113.7'), isPublic('203.0.113.7', ['203.0.113.7'])], [true, false]);
  assert.equal([isPublic('2a00::1'), isPublic('2a00::1', ['2a00::1'])], [true, false]);
});

/** What is requested while `fetch` answers by `script`. */
async function requests(script: (url: URL) => Response, use: () => Promise<unknown>): Promise<string[]> {
  const seen: string[] = [];
  const before = globalThis.fetch;
  globalThis.fetch = Object.assign(
    async (input: string | URL | Request, init?: RequestInit) => {
      seen.push(`${init?.method} ${input}`);
      return script(new URL(String(input)));
    },
    { preconnect: () => {} },
  );
  try {
    await use();
  } finally {
    globalThis.fetch = before;
  }
  return seen;
}

const { signal } = new AbortController();

test('nothing leads from a public address to a private one, whatever the options say', async () => {
  const url = 'http://203.0.113.7/whep/cam1';
  for (const target of ['http://127.0.0.1:9200/', 'http://localhost/', 'http://169.254.169.254/', 'http://[::1]/']) {
    const redirect = () => new Response(null, { status: 307, headers: { Location: target } });
    const client = new WhepClient({ url, followOrigins: true }, false);
    const redirected = await requests(redirect, () => client.join('', signal).catch(() => {}));
    assert.equal(redirected, [`POST ${url}`], target);

    const session = () => new Response('', { status: 201, headers: { Location: `${target}1` } });
    const left = await requests(session, async () => {
      const answered = await client.join('', signal);
      assert.is(answered.session?.url.href, `${target}1`);
      if (answered.session === undefined) return;
      await client.leave(answered.session);
      assert.is(await client.has(answered.session, '', signal), false);
    });
    assert.equal(left, [`POST ${url}`], target);
  }
});

test('a client that is fenced in asks no private address at all', async () => {
  const client = new WhepClient({ url: 'http://127.0.0.1:9200/whep/cam1' }, true);
  const seen = await requests(
    () => new Response('', { status: 201 }),
    async () => {
      const why = await client.join('', signal).catch((error: unknown) => error);
      assert.instance(why, Refusal);
    },
  );
  assert.equal(seen, []);
});

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Action, createServer, Failure, type Server, type ServerOptions } from '../../src/index.ts';
import { FRAGMENT, PUBLISH, SDP, WATCH } from '../support/contract/client.ts';
import { fragment } from '../support/contract/session.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('access');

const TOKENS = { token: 'of-watch', publishToken: 'of-publish', observeToken: 'of-observe', adminToken: 'of-admin' };

/** What a request may bring. */
const CREDENTIALS = {
  none: undefined,
  watch: 'Bearer of-watch',
  publish: 'Bearer of-publish',
  observe: 'Bearer of-observe',
  admin: 'Bearer of-admin',
  wrong: 'Bearer of-nobody',
  cut: 'Bearer of-watc',
  both: 'Bearer of-watch, Bearer of-admin',
  basic: 'Basic of-admin',
  bare: 'of-admin',
} as const;
type Credential = keyof typeof CREDENTIALS;

/** Every route that an action is about, and the status of a request that is let in. */
const ROUTES: Record<Action, readonly (readonly [method: string, path: string, status: number])[]> = {
  watch: [['POST', '/whep/live', 201]],
  publish: [['POST', '/whip/pub', 201]],
  observe: [
    ['GET', '/', 200],
    ['HEAD', '/', 200],
    ['GET', '/webrtc/stats', 200],
    ['GET', '/metrics', 200],
    ['GET', '/openapi.json', 200],
  ],
  admin: [
    ['GET', '/api/streams', 200],
    ['GET', '/api/streams/live', 200],
    ['PUT', '/api/streams/new', 201],
    ['DELETE', '/api/streams/new', 204],
    ['GET', '/api/sessions', 200],
    ['GET', '/api/sessions/unknown', 404],
    ['DELETE', '/api/sessions/unknown', 404],
  ],
};
const ALWAYS = ['/healthz', '/readyz', '/play/live'];

const bearer = (request: Request) => request.headers.get('authorization');
const all = Object.keys(CREDENTIALS) as Credential[];
/** Who is let in by each action; `absent`: its routes do not exist. */
type Expected = Record<Action, readonly Credential[] | 'absent'>;

const CASES: { name: string; options: ServerOptions; expected: Expected }[] = [
  {
    name: 'nothing decided: all but administration is open',
    options: {},
    expected: { watch: all, publish: all, observe: all, admin: 'absent' },
  },
  {
    name: 'a token for each',
    options: TOKENS,
    expected: { watch: ['watch'], publish: ['publish'], observe: ['observe', 'admin'], admin: ['admin'] },
  },
  {
    name: 'a token to watch alone: it does not publish, and the rest is closed',
    options: { token: TOKENS.token },
    expected: { watch: ['watch'], publish: [], observe: [], admin: 'absent' },
  },
  {
    name: 'a token to publish alone',
    options: { publishToken: TOKENS.publishToken },
    expected: { watch: [], publish: ['publish'], observe: [], admin: 'absent' },
  },
  {
    name: 'a token to observe alone',
    options: { observeToken: TOKENS.observeToken },
    expected: { watch: [], publish: [], observe: ['observe'], admin: 'absent' },
  },
  {
    name: 'an admin token alone: it observes as well',
    options: { adminToken: TOKENS.adminToken },
    expected: { watch: [], publish: [], observe: ['admin'], admin: ['admin'] },
  },
  {
    name: 'watching opened beside a token to publish',
    options: { publishToken: TOKENS.publishToken, open: ['watch'] },
    expected: { watch: all, publish: ['publish'], observe: [], admin: 'absent' },
  },
  {
    name: 'watching opened, and nothing else named',
    options: { open: ['watch'] },
    expected: { watch: all, publish: [], observe: [], admin: 'absent' },
  },
  {
    name: 'observing opened beside an admin token',
    options: { adminToken: TOKENS.adminToken, open: ['observe'] },
    expected: { watch: [], publish: [], observe: all, admin: ['admin'] },
  },
  {
    name: 'a hook for one action: the rest is closed',
    options: { authorize: { watch: (request) => bearer(request) === CREDENTIALS.wrong } },
    expected: { watch: ['wrong'], publish: [], observe: [], admin: 'absent' },
  },
  {
    name: 'a hook for each action, administration included',
    options: {
      authorize: {
        watch: () => true,
        publish: (request) => bearer(request) === CREDENTIALS.publish,
        observe: () => false,
        admin: (request) => bearer(request) === CREDENTIALS.basic,
      },
    },
    expected: { watch: all, publish: ['publish'], observe: [], admin: ['basic'] },
  },
  {
    name: 'one hook for all: not for administration, which has no token',
    options: { authorize: () => true },
    expected: { watch: all, publish: all, observe: all, admin: 'absent' },
  },
  {
    name: 'one hook for all and an admin token: both are needed to administer',
    options: { adminToken: TOKENS.adminToken, authorize: (_, { action }) => action !== 'admin' },
    expected: { watch: all, publish: all, observe: all, admin: [] },
  },
  {
    name: 'a token and a hook for the same action: both are needed',
    options: { token: TOKENS.token, authorize: { watch: (request) => new URL(request.url).searchParams.has('paid') } },
    expected: { watch: [], publish: [], observe: [], admin: 'absent' },
  },
];

function start(options: ServerOptions): Promise<Server> {
  return createServer({ engine: new FakeEngine(), streams: { live: 'clip', pub: 'whip' }, ...options });
}

function ask(server: Server, method: string, path: string, credential: Credential): Promise<Response> {
  const authorization = CREDENTIALS[credential];
  const headers = new Headers(authorization === undefined ? {} : { Authorization: authorization });
  let body: string | null = null;
  if (method === 'POST') {
    const named = path.endsWith('/events');
    headers.set('Content-Type', named ? 'application/json' : SDP['Content-Type']);
    body = named ? '["active"]' : path.startsWith('/whip') ? PUBLISH : WATCH;
  } else if (method === 'PUT') {
    headers.set('Content-Type', 'application/json');
    body = '"clip"';
  }
  return server.fetch(new Request(`http://server.test${path}`, { method, headers, body }));
}

for (const { name, options, expected } of CASES) {
  test(name, async () => {
    const server = await start(options);
    for (const [action, routes] of Object.entries(ROUTES) as [Action, (typeof ROUTES)[Action]][]) {
      for (const [method, path, status] of routes) {
        for (const credential of all) {
          const response = await ask(server, method, path, credential);
          const cell = `${action}: ${method} ${path} with ${credential}`;
          const who = expected[action];
          if (who === 'absent') assert.is(response.status, 404, cell);
          else if (who.includes(credential)) assert.is(response.status, status, cell);
          else {
            assert.ok([401, 403].includes(response.status), `${cell}: ${response.status}`);
            assert.match(response.headers.get('www-authenticate') ?? '', /^Bearer/, cell);
          }
          await response.body?.cancel();
          for (const { id } of server.sessions) await server.sessions.remove(id);
        }
      }
    }
    for (const path of ALWAYS) assert.is((await ask(server, 'GET', path, 'none')).status, 200, path);
    await server.close();
  });
}

test('a session is its own capability, but credentials that come with it must be right', async () => {
  const server = await start({ ...TOKENS, conformance: 'draft' });
  const joined = await ask(server, 'POST', '/whep/live', 'watch');
  const location = joined.headers.get('location') ?? '';
  const patch = (credential: Credential) => {
    const authorization = CREDENTIALS[credential];
    const headers = { ...FRAGMENT, 'If-Match': '*', ...(authorization && { Authorization: authorization }) };
    return server.fetch(new Request(`http://server.test${location}`, { method: 'PATCH', headers, body: fragment() }));
  };
  for (const [credential, status] of [
    ['publish', 401],
    ['admin', 401],
    ['watch', 204],
    ['none', 204],
  ] as const) {
    assert.is((await patch(credential)).status, status, credential);
  }
  for (const path of [location, `${location}/events`]) {
    const method = path === location ? 'DELETE' : 'POST';
    assert.is((await ask(server, method, path, 'publish')).status, 401, path);
  }
  const events = (await ask(server, 'POST', `${location}/events`, 'none')).headers.get('location') ?? '';
  for (const method of ['GET', 'DELETE']) {
    assert.is((await ask(server, method, events, 'publish')).status, 401, method);
    const allowed = await ask(server, method, events, 'watch');
    assert.is(allowed.status, 200, method);
    await allowed.body?.cancel();
  }
  assert.is([...server.sessions].length, 1);
  assert.is((await ask(server, 'DELETE', location, 'none')).status, 200);
  await server.close();
});

test('a guessed session says nothing about the credentials that come with it', async () => {
  for (const [conformance, status] of [
    ['classic', 204],
    ['draft', 404],
  ] as const) {
    const server = await start({ ...TOKENS, conformance });
    for (const credential of all) {
      assert.is((await ask(server, 'DELETE', '/whep/live/guessed', credential)).status, status, credential);
    }
    await server.close();
  }
});

test('a Response of the hook stops a PATCH, a DELETE and what is observed', async () => {
  let answer: boolean | Response = true;
  const hook = () => (answer instanceof Response ? answer.clone() : answer);
  const server = await start({ authorize: { watch: hook, observe: hook } });
  const joined = await ask(server, 'POST', '/whep/live', 'watch');
  const location = joined.headers.get('location') ?? '';
  answer = new Response('come back with a ticket', { status: 402 });
  for (const [method, path] of [
    ['PATCH', location],
    ['DELETE', location],
    ['POST', `${location}/events`],
    ['GET', '/webrtc/stats'],
  ] as const) {
    const response = await ask(server, method, path, 'watch');
    assert.equal([response.status, await response.text()], [402, 'come back with a ticket'], `${method} ${path}`);
  }
  assert.is([...server.sessions].length, 1);
  await server.close();
});

test('hooks are told the action, and the stream where there is one; a session id is not one', async () => {
  const asked: string[] = [];
  const hook = (_: Request, { action, stream }: { action: Action; stream: string | undefined }) => {
    asked.push(`${action} ${stream}`);
    return true;
  };
  const server = await start({ authorize: { watch: hook, publish: hook, observe: hook, admin: hook } });
  for (const [method, path] of [
    ['POST', '/whep/live'],
    ['POST', '/whip/pub'],
    ['GET', '/metrics'],
    ['GET', '/api/streams/live'],
    ['GET', '/api/sessions/some-id'],
  ] as const) {
    await (await ask(server, method, path, 'none')).body?.cancel();
  }
  assert.equal(asked, ['watch live', 'publish pub', 'observe undefined', 'admin live', 'admin undefined']);
  await server.close();
});

test('TURN credentials leave in a 201, or in an OPTIONS that a token or hook has let in, and differ each time', async () => {
  const turn = { urls: 'turn:turn.test', secret: 'shared-with-turn' };
  const iceServers = [
    { urls: 'stun:stun.test' },
    { urls: 'turns:static.test', username: 'fixed', credential: 'fixed-secret' },
  ];
  const cases: [ServerOptions, Credential, boolean][] = [
    [{}, 'none', false],
    [{ open: ['watch'] }, 'none', false],
    [{ token: TOKENS.token }, 'watch', true],
    [{ authorize: { watch: () => true } }, 'none', true],
  ];
  for (const [options, credential, given] of cases) {
    const server = await start({ ...options, turn, iceServers });
    const seen = new Set<string>();
    for (const path of ['/whep/live', '/whep/unknown', '/whep/live/session']) {
      const link = (await ask(server, 'OPTIONS', path, credential)).headers.get('link') ?? '';
      assert.match(link, '<stun:stun.test>');
      assert.is(/username|credential=|turn/.test(link), given, link);
      for (const [, username = ''] of link.matchAll(/username="(\d+:[^"]+)"/g)) seen.add(username);
    }
    for (let join = 0; join < 2; join++) {
      const link = (await ask(server, 'POST', '/whep/live', credential)).headers.get('link') ?? '';
      const [, username = ''] = /username="(\d+:[^"]+)"/.exec(link) ?? [];
      const left = Number(username.split(':')[0]) - Date.now() / 1000;
      assert.ok(left > 0 && left <= 3600, link);
      seen.add(username);
    }
    assert.is(seen.size, given ? 5 : 2, [...seen].join(' '));
    await server.close();
  }
});

test('a token to watch never leads a preflight or a refused OPTIONS to links', async () => {
  const server = await start({ ...TOKENS, iceServers: [{ urls: 'stun:stun.test' }] });
  for (const credential of ['none', 'publish', 'admin', 'wrong'] as const) {
    assert.is((await ask(server, 'OPTIONS', '/whep/live', credential)).headers.get('link'), null, credential);
  }
  await server.close();
});

test('tokens are renewed: the old ones end at once, an absent one closes, and nobody is sent away', async () => {
  const server = await start({ ...TOKENS, authorize: { observe: () => true } });
  assert.is((await ask(server, 'POST', '/whep/live', 'watch')).status, 201);
  server.renewTokens({ token: 'of-nobody' });
  assert.is([...server.sessions].length, 1);
  const statuses = async (path: string, method: string) =>
    Promise.all(
      (['none', 'watch', 'publish', 'admin', 'wrong'] as const).map(
        async (credential) => (await ask(server, method, path, credential)).status,
      ),
    );
  assert.equal(await statuses('/whep/live', 'POST'), [401, 401, 401, 401, 201]);
  assert.equal(await statuses('/whip/pub', 'POST'), [401, 403, 403, 403, 403]);
  assert.equal(await statuses('/api/streams', 'GET'), [404, 404, 404, 404, 404]);
  server.renewTokens({ adminToken: 'of-nobody' });
  assert.equal(await statuses('/whep/live', 'POST'), [401, 403, 403, 403, 403]);
  assert.equal(await statuses('/api/streams', 'GET'), [401, 401, 401, 401, 200]);
  server.renewTokens({});
  assert.equal(await statuses('/whep/live', 'POST'), [401, 403, 403, 403, 403], 'no token left opens nothing');
  assert.throws(
    () => server.renewTokens({ token: 'with space' }),
    (error: unknown) => error instanceof Failure,
  );
  await server.close();
});

test('an action that has a token or a hook cannot be open as well', async () => {
  for (const options of [
    { token: 'x', open: ['watch'] },
    { authorize: { publish: () => true }, open: ['publish'] },
    { authorize: () => true, open: ['observe'] },
  ] as const) {
    const error = await createServer({ engine: new FakeEngine(), ...options }).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(error instanceof Failure && error.code === 'invalid-options', String(error));
    assert.match(error.message, 'options.open');
  }
});

test.run();

import * as assert from 'uvu/assert';
import type { Row } from './row.ts';

const PREFLIGHT = { Origin: 'https://page.test', 'Access-Control-Request-Method': 'POST' };
const ICE = {
  token: 'secret-token',
  publishToken: 'secret-token',
  iceServers: [
    { urls: ['stun:stun.test:3478', 'stuns:stun.test:5349'] },
    { urls: 'turn:turn.test:3478?transport=udp', username: 'a "user"', credential: 'pass\\word' },
  ],
};
const LINKS = [
  '<stun:stun.test:3478>; rel="ice-server"',
  '<stuns:stun.test:5349>; rel="ice-server"',
  '<turn:turn.test:3478?transport=udp>; rel="ice-server"; username="a \\"user\\""; credential="pass\\\\word"; credential-type="password"',
].join(', ');
const ORIGINS = { allowedOrigins: ['HTTPS://Page.test:443', 'http://localhost:3000', 'app://home'] };
const TURN = { turn: { urls: 'turn:turn.test', secret: 'shared-with-turn', ttlSeconds: 600 } };
const HOOK = {
  iceServers: async (request: Request) => [{ urls: `stun:${new URL(request.url).searchParams.get('of')}` }],
};

/** OPTIONS, CORS, GET and HEAD, other methods, ICE servers. */
export const cors: Row[] = [
  {
    name: 'a preflight is 204 without credentials, for known and unknown streams alike, and carries no links',
    options: ICE,
    run: async (client) => {
      for (const path of [
        '/whep/live',
        '/whep/unknown',
        '/whip/pub',
        '/whep/live/session',
        '/whip/pub/session',
        '/whep/',
      ]) {
        const reply = await client.send('OPTIONS', path, { headers: PREFLIGHT });
        assert.equal([reply.status, reply.text, reply.headers.get('link')], [204, '', null], path);
        assert.is(reply.headers.get('access-control-allow-origin'), '*');
        assert.is(reply.headers.get('access-control-max-age'), '86400');
      }
    },
  },
  {
    name: 'a plain OPTIONS is 204 with Allow, Accept-Post or Accept-Patch, and the ICE servers for who may watch',
    options: ICE,
    run: async (client) => {
      const headers = { Authorization: 'Bearer secret-token' };
      for (const path of ['/whep/live', '/whep/unknown', '/whip/pub']) {
        const reply = await client.send('OPTIONS', path, { headers });
        assert.equal([reply.status, reply.headers.get('accept-post')], [204, 'application/sdp'], path);
        assert.is(reply.headers.get('link'), LINKS);
        for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) assert.match(reply.headers.get('allow') ?? '', method);
        assert.is((await client.send('OPTIONS', path)).headers.get('link'), null);
      }
      const session = await client.send('OPTIONS', '/whep/live/unknown', { headers });
      assert.is(session.headers.get('accept-patch'), 'application/trickle-ice-sdpfrag');
      for (const method of ['PATCH', 'DELETE']) assert.match(session.headers.get('allow') ?? '', method);
    },
  },
  {
    name: '13: the 201 carries a link for each ICE server, quoted and escaped',
    options: ICE,
    run: async (client) => {
      const { reply } = await client.watch('/whep/live', { headers: { Authorization: 'Bearer secret-token' } });
      assert.ok(reply.headers.get('link')?.startsWith(LINKS), reply.headers.get('link') ?? 'no link');
      await client.leave();
    },
  },
  {
    name: 'TURN credentials from a shared secret name their end and are signed',
    options: TURN,
    run: async (client) => {
      const { reply } = await client.watch();
      const link = reply.headers.get('link') ?? '';
      const [, username = '', credential] = /username="([^"]+)"; credential="([^"]+)"/.exec(link) ?? [];
      const left = Number(username.split(':')[0]) - Date.now() / 1000;
      assert.ok(left > 500 && left <= 600, username);
      const { createHmac } = await import('node:crypto');
      assert.is(credential, createHmac('sha1', 'shared-with-turn').update(username).digest('base64'));
    },
  },
  {
    name: 'the iceServers hook sees the request',
    needs: 'hook',
    options: HOOK,
    run: async (client) => {
      const { reply } = await client.watch('/whep/live?of=eu.test');
      assert.match(reply.headers.get('link') ?? '', '<stun:eu.test>; rel="ice-server"');
    },
  },
  {
    name: 'with an origin list only listed origins are let in, and caches are told',
    options: ORIGINS,
    run: async (client) => {
      for (const [origin, allowed] of [
        ['https://page.test', 'https://page.test'],
        ['http://localhost:3000', 'http://localhost:3000'],
        ['app://home', 'app://home'],
        ['https://page.test:8443', null],
        ['https://page.test.evil.test', null],
        ['https://evil.test', null],
        ['null', null],
      ] as const) {
        for (const method of ['OPTIONS', 'POST']) {
          const reply = await client.send(method, '/whep/unknown', { headers: { ...PREFLIGHT, Origin: origin } });
          assert.is(reply.headers.get('access-control-allow-origin'), allowed, `${method} ${origin}`);
          assert.is(reply.headers.get('vary'), 'Origin');
        }
      }
    },
  },
  {
    name: 'errors carry the CORS headers too, 404 and 405 included',
    run: async (client) => {
      for (const [method, path] of [
        ['POST', '/whep/unknown'],
        ['POST', '/whep/a/b/c/d/e'],
        ['PUT', '/whip/pub'],
        ['POST', '/whep/'],
      ] as const) {
        const reply = await client.send(method, path, { headers: { Origin: 'https://page.test' } });
        assert.is(reply.headers.get('access-control-allow-origin'), '*', path);
      }
    },
  },
  {
    name: 'GET and HEAD of an endpoint are 200, application/sdp and empty, for known and unknown streams alike',
    run: async (client) => {
      for (const method of ['GET', 'HEAD']) {
        for (const path of ['/whep/live', '/whep/unknown', '/whip/pub']) {
          const reply = await client.send(method, path);
          assert.equal([reply.status, reply.text], [200, ''], path);
          assert.is(reply.headers.get('content-type'), 'application/sdp');
          assert.is(reply.headers.get('content-length'), '0');
        }
      }
    },
  },
  {
    name: 'GET of a session is 204, for known and unknown ones alike',
    run: async (client) => {
      const { location } = await client.watch();
      for (const path of [location, `${location}/`, '/whep/live/unknown', '/whip/pub/unknown']) {
        assert.is((await client.send('GET', path)).status, 204, path);
        assert.is((await client.send('HEAD', path)).status, 204, path);
      }
    },
  },
  {
    name: 'other methods are 405 with Allow',
    run: async (client) => {
      const { location } = await client.watch();
      for (const [method, path, allowed] of [
        ['PUT', '/whep/live', 'POST'],
        ['DELETE', '/whep/live', 'POST'],
        ['PATCH', '/whip/pub', 'POST'],
        ['POST', location, 'PATCH'],
        ['PUT', location, 'DELETE'],
        ['POST', '/webrtc/stats', 'GET'],
        ['DELETE', '/metrics', 'GET'],
        ['GET', `${location}/events`, 'POST'],
        ['POST', `${location}/events/unknown`, 'DELETE'],
      ] as const) {
        const reply = await client.send(method, path);
        assert.is(reply.status, 405, `${method} ${path}`);
        assert.match(reply.headers.get('allow') ?? '', allowed);
      }
    },
  },
];

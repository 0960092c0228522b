import * as assert from 'uvu/assert';
import { sessionEntry, sessionList, streamEntry, streamList } from '../../../src/http/schemas.ts';
import { eventually } from '../eventually.ts';
import type { Row } from './row.ts';

const ADMIN = { adminToken: 'token-of-admins' };
const bearer = { Authorization: 'Bearer token-of-admins' };
const asJson = { ...bearer, 'Content-Type': 'application/json' };

/** `/api`. */
export const admin: Row[] = [
  {
    name: 'without an admin token there is no admin API',
    run: async (client) => {
      for (const path of ['/api/streams', '/api/streams/live', '/api/sessions', '/api/sessions/x', '/api']) {
        assert.is((await client.send('GET', path, { headers: bearer })).status, 404, path);
      }
    },
  },
  {
    name: 'the admin API needs the admin token',
    options: { ...ADMIN, token: 'secret-token' },
    run: async (client) => {
      for (const [method, path] of [
        ['GET', '/api/streams'],
        ['PUT', '/api/streams/x'],
        ['DELETE', '/api/streams/live'],
      ] as const) {
        assert.is((await client.send(method, path)).status, 401, path);
        const headers = { Authorization: 'Bearer secret-token' };
        assert.is((await client.send(method, path, { headers })).status, 401, path);
      }
      assert.is((await client.send('GET', '/api/streams', { headers: bearer })).status, 200);
    },
  },
  {
    name: 'streams are listed, shown, added and removed',
    options: ADMIN,
    run: async (client) => {
      const all = async () =>
        streamList.parse(JSON.parse((await client.send('GET', '/api/streams', { headers: bearer })).text)).streams;
      assert.equal(
        (await all()).map(({ id }) => id),
        ['live', 'idle', 'pub'],
      );
      const added = await client.send('PUT', '/api/streams/extra', { headers: asJson, body: '{"rtp":{"video":0}}' });
      assert.equal([added.status, added.headers.get('location')], [201, '/api/streams/extra']);
      const extra = streamEntry.parse(JSON.parse(added.text));
      assert.equal([extra.source, extra.state, extra.ports.video ? 'a port' : ''], ['rtp', 'starting', 'a port']);
      const shown = await client.send('GET', '/api/streams/extra', { headers: bearer });
      assert.equal(JSON.parse(shown.text), extra);
      assert.is((await client.send('PUT', '/api/streams/extra', { headers: asJson, body: '"push"' })).status, 409);
      assert.is((await client.send('DELETE', '/api/streams/extra', { headers: bearer })).status, 204);
      assert.is((await client.send('DELETE', '/api/streams/extra', { headers: bearer })).status, 404);
      assert.is((await client.send('GET', '/api/streams/extra', { headers: bearer })).status, 404);
      assert.is((await client.send('POST', '/whep/extra')).status, 404);
    },
  },
  {
    name: 'a stream that is removed takes its viewers and its series along',
    options: ADMIN,
    run: async (client) => {
      await client.send('PUT', '/api/streams/passing', { headers: asJson, body: '"clip"' });
      await eventually('the clip', async () => (await client.stats()).streams.passing?.state === 'live');
      await client.watch('/whep/passing');
      assert.is((await client.stats()).active_peers, 1);
      await client.send('DELETE', '/api/streams/passing', { headers: bearer });
      assert.is((await client.stats()).active_peers, 0);
      assert.not.match((await client.send('GET', '/metrics')).text, /passing/);
    },
  },
  {
    name: 'a source that is none is 400 and says what is wrong',
    options: ADMIN,
    run: async (client) => {
      for (const [body, reason] of [
        ['{"rtp":{"video":70000}}', /source\.rtp\.video: .*65535/],
        ['"nonsense"', /source: write rtp:/],
        ['{"rtp":{},"x":1}', /source\.x: no such option/],
        ['{', /JSON/],
        ['', /JSON/],
      ] as const) {
        const reply = await client.send('PUT', '/api/streams/x', { headers: asJson, body });
        assert.is(reply.status, 400, body);
        assert.match(reply.text, reason);
      }
      assert.is((await client.send('PUT', '/api/streams/x', { headers: bearer, body: '"clip"' })).status, 415);
    },
  },
  {
    name: 'a source that reads from this machine is 400, and so is a kind that was not named',
    options: ADMIN,
    run: async (client) => {
      const reads = { input: '/etc/hostname' };
      for (const source of [
        'ffmpeg:lavfi:sine',
        { ffmpeg: reads },
        'ffmpeg:https://203.0.113.7/',
        'whep:http://127.0.0.1/',
      ]) {
        const reply = await client.send('PUT', '/api/streams/x', { headers: asJson, body: JSON.stringify(source) });
        assert.is(reply.status, 400, JSON.stringify(source));
        assert.match(reply.text, 'adminSources');
      }
    },
  },
  {
    name: 'a source of 16 KiB is read, one byte more is 413',
    options: ADMIN,
    run: async (client) => {
      const put = async (size: number) => {
        const body = `"${'x'.repeat(size - 2)}"`;
        return (await client.send('PUT', '/api/streams/x', { headers: asJson, body })).status;
      };
      assert.equal([await put(16 * 1024), await put(16 * 1024 + 1)], [400, 413]);
    },
  },
  {
    name: 'JSON that aims at prototypes or at the stack is 400, and harms nobody',
    options: ADMIN,
    run: async (client) => {
      for (const body of [
        '{"__proto__":{"clip":{}}}',
        '{"clip":{},"__proto__":{"polluted":1}}',
        '{"rtp":{"video":0,"__proto__":{"host":"::"}}}',
        '{"constructor":{"prototype":{"polluted":1}}}',
        '{"clip":{"__proto__":{"polluted":1}}}',
        '['.repeat(8000),
        '['.repeat(8000) + ']'.repeat(8000),
      ]) {
        const { status } = await client.send('PUT', '/api/streams/x', { headers: asJson, body });
        assert.is(status, 400, body.slice(0, 60));
      }
      assert.not('polluted' in {});
    },
  },
  {
    name: 'ids that are names of properties are ids like others',
    options: ADMIN,
    run: async (client) => {
      const check = async (id: string) => {
        assert.is((await client.send('GET', `/api/streams/${id}`, { headers: bearer })).status, 404, id);
        assert.is((await client.send('GET', `/api/sessions/${id}`, { headers: bearer })).status, 404, id);
        assert.is((await client.send('POST', `/whep/${id}`)).status, 404, id);
        assert.is(
          (await client.send('PUT', `/api/streams/${id}`, { headers: asJson, body: '"push"' })).status,
          201,
          id,
        );
        assert.is((await client.send('POST', `/whep/${id}`)).status, 409, id);
        const { text } = await client.send('GET', '/webrtc/stats');
        assert.ok(Object.hasOwn(JSON.parse(text).streams, id), id);
        const { text: metrics } = await client.send('GET', '/metrics');
        assert.ok(metrics.includes(`\nwhep_viewers{stream="${id}"} 0\n`), id);
        assert.is((await client.send('DELETE', `/api/streams/${id}`, { headers: bearer })).status, 204, id);
      };
      await Promise.all(['__proto__', 'constructor', 'toString', 'hasOwnProperty'].map(check));
    },
  },
  {
    name: 'sessions are listed, shown and ended',
    options: ADMIN,
    run: async (client) => {
      const { location } = await client.watch();
      const id = location.split('/').at(-1);
      const list = await client.send('GET', '/api/sessions', { headers: bearer });
      const [entry] = sessionList.parse(JSON.parse(list.text)).sessions;
      assert.equal([entry?.id, entry?.kind, entry?.stream], [id, 'viewer', 'live']);
      const shown = sessionEntry.parse(
        JSON.parse((await client.send('GET', `/api/sessions/${id}`, { headers: bearer })).text),
      );
      assert.is(shown.id, id);
      assert.is((await client.send('DELETE', `/api/sessions/${id}`, { headers: bearer })).status, 204);
      assert.is((await client.send('DELETE', `/api/sessions/${id}`, { headers: bearer })).status, 404);
      assert.is((await client.send('GET', `/api/sessions/${id}`, { headers: bearer })).status, 404);
      assert.is((await client.stats()).active_peers, 0);
    },
  },
];

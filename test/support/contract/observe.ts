import parse from 'parse-prometheus-text-format';
import * as assert from 'uvu/assert';
import type { Row } from './row.ts';

const PREFIXED = { basePath: '/tv/live' };
const FORWARDED_STRIPPED = { basePath: '/live', basePathStripped: true, trustForwardedPrefix: true };
const STRIPPED = { basePath: '/tv/live', basePathStripped: true };

/** Statistics, metrics, health, pages, the OpenAPI document, prefixes. */
export const observe: Row[] = [
  {
    name: 'statistics begin with the four classic fields and describe each stream',
    run: async (client) => {
      await client.watch();
      const { headers, text } = await client.send('GET', '/webrtc/stats');
      assert.is(headers.get('content-type'), 'application/json');
      const fields = ['active_streams', 'active_peers', 'active_publishers', 'udp_ports_in_use'];
      assert.equal(Object.keys(JSON.parse(text)).slice(0, 4), fields);
      const stats = await client.stats();
      assert.equal([stats.active_streams, stats.active_peers, stats.active_publishers], [1, 1, 0]);
      assert.equal(Object.keys(stats.streams), ['live', 'idle', 'pub']);
      const { live, idle } = stats.streams;
      assert.equal([live?.state, live?.source, live?.viewers], ['live', 'clip', 1]);
      assert.match(live?.video?.profile_level_id ?? '', /^42[0-9a-f]{4}$/);
      assert.match(live?.video?.level ?? '', /^\d\.\d$/);
      assert.is(live?.audio?.channels, 2);
      assert.match(idle?.state ?? '', /^(starting|stalled)$/);
      assert.equal([idle?.source, idle?.viewers], ['rtp', 0]);
    },
  },
  {
    name: 'metrics are Prometheus text that a parser reads, or OpenMetrics when Accept prefers it',
    run: async (client) => {
      await client.watch();
      const plain = await client.send('GET', '/metrics');
      assert.match(plain.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
      const families = parse(plain.text);
      const viewers = families.find(({ name }) => name === 'whep_viewers');
      assert.equal([viewers?.type, viewers?.metrics[0]], ['GAUGE', { value: '1', labels: { stream: 'live' } }]);
      assert.ok(families.every(({ help }) => help.length > 0));
      const accept = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1';
      const open = await client.send('GET', '/metrics', { headers: { Accept: accept } });
      assert.match(open.headers.get('content-type') ?? '', /^application\/openmetrics-text/);
      assert.match(open.text, /# TYPE whep_requests counter\nwhep_requests_total\{/);
      assert.match(open.text, /\n# EOF\n$/);
      assert.not.match(open.text, /\n\n/);
    },
  },
  {
    name: 'requests are counted by route, status and stream; strangers make no series',
    run: async (client) => {
      const series = 'whep_requests_total{route="whep",code="404",stream=""}';
      const before = await client.metric(series);
      for (let index = 0; index < 20; index++) await client.send('POST', `/whep/stranger-${index}`);
      assert.is(await client.metric(series), before + 20);
      await client.watch();
      assert.ok((await client.metric('whep_requests_total{route="whep",code="201",stream="live"}')) > 0);
      assert.not.match((await client.send('GET', '/metrics')).text, /stranger/);
    },
  },
  {
    name: 'a server that serves is healthy and ready',
    run: async (client) => {
      const health = await client.send('GET', '/healthz');
      assert.equal([health.status, health.text], [200, 'ok']);
      assert.is((await client.send('GET', '/readyz')).status, 200);
      assert.equal([(await client.send('HEAD', '/healthz')).text], ['']);
    },
  },
  {
    name: 'the pages are self-contained HTML under a strict policy',
    run: async (client) => {
      for (const path of ['/', '/play/live']) {
        const { status, headers, text } = await client.send('GET', path);
        assert.equal([status, headers.get('content-type')], [200, 'text/html; charset=utf-8'], path);
        const policy = headers.get('content-security-policy')?.split('; ') ?? [];
        for (const each of ["default-src 'none'", "base-uri 'none'", "form-action 'none'"])
          assert.ok(policy.includes(each));
        assert.not.match(headers.get('content-security-policy') ?? '', /unsafe/);
        assert.equal([headers.get('referrer-policy'), headers.get('cache-control')], ['no-referrer', 'no-store']);
        assert.match(text, 'live');
      }
      const slashed = await client.send('GET', '/play/live/');
      assert.equal([slashed.status, slashed.headers.get('location')], [308, '/play/live']);
    },
  },
  {
    name: 'the OpenAPI document names the routes',
    run: async (client) => {
      const { openapi, paths } = JSON.parse((await client.send('GET', '/openapi.json')).text);
      assert.is(openapi, '3.1.0');
      assert.ok(paths['/whep/{id}'].post && paths['/whip/{id}/{resource}'].delete && paths['/webrtc/stats'].get);
      assert.is(paths['/api/streams'], undefined, 'there is no admin token');
    },
  },
  {
    name: 'under a base path Location and Link carry it, and nothing answers outside it',
    options: PREFIXED,
    run: async (client) => {
      const { location, reply } = await client.watch('/tv/live/whep/live');
      assert.match(location, /^\/tv\/live\/whep\/live\/[\w-]{22}$/);
      assert.match(reply.headers.get('link') ?? '', `<${location}/events>`);
      assert.is((await client.send('DELETE', location)).status, 204);
      assert.is((await client.stats()).active_peers, 0);
      for (const path of [
        '/whep/live',
        '/healthz',
        '/api/streams',
        '/',
        '/tv',
        '/tv/liver/healthz',
        '/TV/live/healthz',
      ]) {
        assert.is((await client.open('GET', path)).status, 404, path);
      }
      assert.is((await client.send('GET', '/tv/live/healthz')).status, 200);
      assert.is((await client.send('GET', '/tv/livehealthz')).status, 404);
      assert.is((await client.send('GET', '/tv/live')).headers.get('location'), '/tv/live/');
      const moved = await client.send('GET', '/tv/live/play/live/');
      assert.is(moved.headers.get('location'), '/tv/live/play/live');
    },
  },
  {
    name: 'where the base path is stripped on the way, it is in links alone',
    options: STRIPPED,
    run: async (client) => {
      const { location } = await client.watch('/whep/live');
      assert.match(location, /^\/tv\/live\/whep\/live\/[\w-]{22}$/);
      assert.is((await client.open('GET', '/tv/live/healthz')).status, 404);
      assert.is((await client.send('DELETE', location.slice('/tv/live'.length))).status, 204);
      assert.is((await client.stats()).active_peers, 0);
    },
  },
  {
    name: 'X-Forwarded-Prefix is put in front where the option says so, of a stripped path in its place',
    options: FORWARDED_STRIPPED,
    run: async (client) => {
      const from = async (prefix: string) =>
        (await client.watch('/whep/live', { headers: { 'X-Forwarded-Prefix': prefix } })).location;
      assert.match(await from('/edge'), /^\/edge\/whep\/live\//);
      assert.match(await from('//evil.test'), /^\/live\/whep\/live\//);
    },
  },
  {
    name: 'X-Forwarded-Prefix is put in front where the option says so',
    options: { basePath: '/live', trustForwardedPrefix: true },
    run: async (client) => {
      const from = async (path: string, prefix: string) =>
        (await client.watch(path, { headers: { 'X-Forwarded-Prefix': prefix } })).location;
      assert.match(await from('/live/whep/live', '/edge/'), /^\/edge\/live\/whep\/live\//);
      assert.match(await from('/live/whep/live', '//evil.test'), /^\/live\/whep\/live\//);
      assert.match(await from('/live/whep/live', '/a>b'), /^\/live\/whep\/live\//);
    },
  },
  {
    name: 'X-Forwarded-Prefix is ignored otherwise',
    run: async (client) => {
      const { location } = await client.watch('/whep/live', { headers: { 'X-Forwarded-Prefix': '/edge' } });
      assert.match(location, /^\/whep\/live\//);
    },
  },
];

import { resolve } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openLoad } from '../../src/cli/bench/load.ts';
import { arrive } from '../../src/cli/bench/measure.ts';
import { sessionList } from '../../src/http/schemas.ts';
import { Client } from '../support/contract/client.ts';
import { eventually } from '../support/eventually.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { type RunningServer, startConfigured } from '../support/server.ts';

process.env.FETCH_WHEP_ADDON ??= resolve('dist/fetch-whep.node');

const runtime = currentRuntime();
const test = suite(`what a ${runtime} process with the native engine tells of itself`);
let server: RunningServer;
let client: Client;

test.before(async () => {
  server = await startConfigured(runtime, {
    streams: { live: 'clip' },
    adminToken: 'admin-token',
    open: ['watch', 'observe'],
  });
  await server.live();
  client = new Client({ fetch: (request) => fetch(request), origin: server.url, close: async () => {} });
});

test.after(async () => {
  assert.equal(await server.stop(), { code: 0, signal: null });
});

test('the engine, the runtime, and every fact of the clip', async () => {
  const { video, audio, ...live } = await eventually('a whole GOP has passed', async () => {
    const stream = (await client.stats()).streams.live;
    return stream?.video?.gop_frames === undefined ? undefined : stream;
  });
  const { engine, runtime: said, uptime_seconds: uptime } = await client.stats();
  assert.equal([engine, said, uptime > 0], ['native', runtime, true]);
  assert.equal([live.state, live.source, live.viewers, live.warnings], ['live', 'clip', 0, []]);
  assert.equal([video?.profile, video?.b_frames, audio?.channels], ['Constrained Baseline', false, 2]);
  assert.equal([video?.nominal_frames_per_second, video?.reorder_frames, video?.parameter_changes], [30, 0, 0]);
  assert.equal([audio?.wrong_codec, audio?.timestamp_breaks, audio?.lost, video?.lost], [false, 0, 0, 0]);
  const { width = 0, height = 0, gop_frames: frames = 0 } = video ?? {};
  assert.ok(width > 0 && height > 0 && frames > 0, `${width}x${height}, a keyframe each ${frames}`);
  await eventually('some thirty frames a second', async () => {
    const rate = (await client.stats()).streams.live?.video?.frames_per_second ?? 0;
    return rate > 20 && rate < 40;
  });
  const { gop_seconds: gop = 0, keyframe_age_seconds: age = -1 } = video ?? {};
  assert.ok(gop > 0 && age >= 0 && age < 60, `a GOP of ${gop} s, the last keyframe ${age} s ago`);
  assert.ok(live.packets.in > 0);
  await eventually('a bitrate', async () => ((await client.stats()).streams.live?.bits_per_second.in ?? 0) > 10_000);
});

test('the metrics of the process are there, those of the engine move', async () => {
  const packets = () => client.metric('whep_in_packets_total{stream="live",kind="video"}');
  const before = await packets();
  await eventually('more packets', async () => (await packets()) > before);
  assert.ok((await client.metric('process_resident_memory_bytes')) > 1_000_000);
  assert.ok((await client.metric('process_cpu_seconds_total')) > 0);
});

test('a viewer that has not connected yet is shown as it is', async () => {
  const { location } = await client.watch();
  const headers = { Authorization: 'Bearer admin-token' };
  const { text } = await client.send('GET', '/api/sessions', { headers });
  const [entry] = sessionList.parse(JSON.parse(text)).sessions;
  const { id, kind, stream, state, packets_out: packets } = entry ?? {};
  assert.equal([id, kind, stream, state, packets], [location.split('/').at(-1), 'viewer', 'live', 'connecting', 0]);
  await client.leave();
});

test("a viewer's SRTP profile and its version of DTLS are told and counted", async () => {
  const best = 'SRTP_AEAD_AES_128_GCM';
  for (const profile of [undefined, best, 'SRTP_AEAD_AES_256_GCM', 'SRTP_AES128_CM_HMAC_SHA1_80']) {
    const negotiated = profile ?? best;
    const count = () => client.metric(`whep_sessions_secured_total{profile="${negotiated}",dtls="1.2"}`);
    const before = await count();
    const load = openLoad(profile === undefined ? {} : { profile });
    try {
      const arrived = await arrive(load, { url: `${server.url}/whep/live`, viewers: 1, over: 0, group: 0 });
      assert.equal([arrived.failures, arrived.profiles], [[], [negotiated]]);
      const headers = { Authorization: 'Bearer admin-token' };
      const entry = await eventually('a session that is connected', async () => {
        const { text } = await client.send('GET', '/api/sessions', { headers });
        return sessionList.parse(JSON.parse(text)).sessions.find(({ dtls_version: version }) => version);
      });
      assert.equal([entry.srtp_profile, entry.dtls_version], [negotiated, '1.2']);
      assert.is(await count(), before + 1);
    } finally {
      await load.close();
    }
    await eventually('nobody watches', async () => (await client.stats()).active_peers === 0);
  }
});

test.run();

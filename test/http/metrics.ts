import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EngineSnapshot, HistogramSnapshot } from '../../src/engine/port.ts';
import { createServer, type Server, type ServerOptions } from '../../src/index.ts';
import { METRICS } from '../../src/metrics.ts';
import { Client, SDP, WATCH } from '../support/contract/client.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('metrics');

async function start(options: ServerOptions = {}): Promise<{ engine: FakeEngine; server: Server; client: Client }> {
  const engine = new FakeEngine();
  const server = await createServer({ engine, streams: { live: 'clip' }, ...options });
  return { engine, server, client: new Client({ ...server, engine }) };
}

/** Every number of an engine's snapshot with a value of its own, and the series that shows it. */
const FIELDS: { series: string; value: number; set: (snapshot: EngineSnapshot, value: number) => void }[] = [
  ...(['video', 'audio'] as const).flatMap((kind) =>
    (['packetsIn', 'bytesIn', 'packetsOut', 'bytesOut'] as const).map((field) => ({
      series: `whep_${field.endsWith('In') ? 'in' : 'out'}_${field.startsWith('p') ? 'packets' : 'bytes'}_total{stream="live",kind="${kind}"}`,
      set: (snapshot: EngineSnapshot, value: number) => {
        const counters = snapshot.streams[0]?.[kind];
        if (counters) snapshot.streams[0] = { ...streamOf(snapshot), [kind]: { ...counters, [field]: value } };
      },
    })),
  ),
  ...(
    [
      ['nacks', 'whep_nacks_total'],
      ['retransmissions', 'whep_retransmissions_total'],
      ['keyframeRequests', 'whep_keyframe_requests_total'],
    ] as const
  ).map(([field, name]) => ({
    series: `${name}{stream="live"}`,
    set: (snapshot: EngineSnapshot, value: number) => {
      snapshot.streams[0] = { ...streamOf(snapshot), [field]: value };
    },
  })),
  {
    series: 'whep_engine_queue_depth{shard="1"}',
    set: (snapshot: EngineSnapshot, value: number) => {
      snapshot.shards = [
        { viewers: 0, queueDepth: 0 },
        { viewers: 0, queueDepth: value },
      ];
    },
  },
  ...(
    [
      ['datagrams', 'datagrams'],
      ['direct', 'direct_datagrams'],
      ['calls', 'calls'],
      ['dropped', 'dropped_datagrams'],
    ] as const
  ).map(([field, name]) => ({
    series: `whep_send_${name}_total`,
    set: (snapshot: EngineSnapshot, value: number) => {
      Object.assign(snapshot.sends ?? {}, { [field]: value });
    },
  })),
  {
    series: 'whep_refused_packets_total{reason="unknown-address"}',
    set: (snapshot: EngineSnapshot, value: number) => {
      snapshot.refused = { 'unknown-address': value };
    },
  },
  ...(
    [
      ['iceSeconds', 'whep_session_setup_seconds', '{phase="ice"}'],
      ['dtlsSeconds', 'whep_session_setup_seconds', '{phase="dtls"}'],
      ['firstKeyframeSeconds', 'whep_first_keyframe_seconds', ''],
      ['fanoutLatencySeconds', 'whep_fanout_latency_seconds', ''],
      ['sendBatchPackets', 'whep_send_batch_packets', ''],
      ['frameMessages', 'whep_frame_messages', ''],
      ['rttSeconds', 'whep_rtt_seconds', ''],
      ['lossRatio', 'whep_loss_ratio', ''],
    ] as const
  ).map(([field, name, labels]) => ({
    series: `${name}_count${labels}`,
    set: (snapshot: EngineSnapshot, value: number) => {
      snapshot.histograms[field] = histogram(value);
    },
  })),
].map((field, index) => ({ ...field, value: 1000 + index }));

/** Fields of the snapshot that no metric shows: counted by the hub itself, or states and words. */
const NOT_EXPORTED = ['udpPorts', 'streams.facts', 'streams.viewers', 'streams.warnings', 'shards.viewers'];

test('every row has HELP and TYPE, a unit in its name and a name of its own', async () => {
  const { client, server } = await start();
  const { text } = await client.send('GET', '/metrics');
  for (const { name, help, type } of METRICS) {
    assert.ok(text.includes(`# HELP ${name} ${help}\n`), name);
    const kind = { event: 'counter', counter: 'counter', gauge: 'gauge', histogram: 'histogram', timing: 'histogram' }[
      type
    ];
    assert.ok(text.includes(`# TYPE ${name} ${kind}\n`), name);
    if (kind === 'counter') assert.match(name, /_total$/);
    if (kind === 'histogram') assert.match(name, /_(seconds|ratio|packets|messages)$/);
    assert.match(help, /^[A-Z][^"]*\.$/);
  }
  assert.is(new Set(METRICS.map(({ name }) => name)).size, METRICS.length);
  await server.close();
});

/** As docs and dashboards know them. */
const NAMES = [
  'whep_requests_total{route,code,stream}',
  'whep_request_duration_seconds{route}',
  'whep_cap_rejections_total{stream,scope}',
  'whep_codec_mismatches_total{stream,kind}',
  'whep_ffmpeg_leg_failures_total{stream,leg}',
  'whep_viewers{stream}',
  'whep_publishers{stream}',
  'whep_streams{state}',
  'whep_leg_info{stream,kind,codec,profile,level}',
  'whep_session_setup_seconds{phase}',
  'whep_session_setup_failures_total{reason}',
  'whep_first_keyframe_seconds{}',
  'whep_sessions_secured_total{profile,dtls}',
  'whep_sessions_ended_total{reason}',
  ...['in', 'out'].flatMap((way) => ['packets', 'bytes'].map((unit) => `whep_${way}_${unit}_total{stream,kind}`)),
  'whep_packets_dropped_total{stream,reason}',
  ...['nacks', 'retransmissions', 'keyframe_requests'].map((what) => `whep_${what}_total{stream}`),
  ...['rtt_seconds', 'loss_ratio', 'fanout_latency_seconds', 'send_batch_packets', 'frame_messages'].map(
    (what) => `whep_${what}{}`,
  ),
  ...['datagrams', 'direct_datagrams', 'calls', 'dropped_datagrams'].map((what) => `whep_send_${what}_total{}`),
  'whep_engine_queue_depth{shard}',
  'whep_refused_packets_total{reason}',
];

test('every metric of the contract is there, with its labels', async () => {
  const { engine, client, server } = await start({ graceSeconds: 0 });
  const { location } = await client.watch();
  await client.send('POST', '/whep/live', { headers: SDP, body: WATCH.replaceAll('opus/48000', 'OPUX/48000') });
  await client.send('DELETE', location);
  for (let index = 0; index < 9; index++) await client.send('POST', '/whep/live', { headers: SDP, body: WATCH });
  const session = [...server.sessions][0]?.id ?? '';
  engine.emit(
    { type: 'session-connected', session },
    { type: 'session-ended', session: [...server.sessions][1]?.id ?? '', reason: 'ice-failed' },
  );
  engine.leg('live', 'video', false);
  const text = await server.metrics();
  const found = new Map<string, string>();
  for (const [, series = '', labels = ''] of text.matchAll(
    /^(whep_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$/gm,
  )) {
    const names = [...labels.matchAll(/(\w+)="/g)].map(([, name]) => name).filter((name) => name !== 'le');
    found.set(series, `${series}{${names.join()}}`);
  }
  assert.equal([...found.values()].sort(), NAMES.toSorted());
  await server.close();
});

test('every number of the engine snapshot has its series', async () => {
  const { engine, client, server } = await start();
  engine.script.snapshot = (snapshot) => {
    for (const { set, value } of FIELDS) set(snapshot, value);
    return snapshot;
  };
  const lines = (await client.send('GET', '/metrics')).text.split('\n');
  for (const { series, value } of FIELDS) assert.ok(lines.includes(`${series} ${value}`), series);
  assert.ok(lines.includes('whep_packets_dropped_total{stream="live",reason="late"} 6'), 'both legs together');
  await server.close();
});

test('the fields of the engine snapshot are the known ones', async () => {
  const { engine, server } = await start();
  const snapshot = engine.snapshot();
  const paths = Object.entries(snapshot).flatMap(([name, value]) => {
    const inner = Array.isArray(value) ? value[0] : typeof value === 'object' ? value : undefined;
    return inner === undefined ? [name] : Object.keys(inner).map((key) => `${name}.${key}`);
  });
  const shown = ['refused.unknown-address', 'streams.id', 'streams.video', 'streams.audio', 'shards.queueDepth'];
  const sends = ['sends.datagrams', 'sends.direct', 'sends.calls', 'sends.dropped'];
  const counters = ['streams.nacks', 'streams.retransmissions', 'streams.keyframeRequests'];
  const histograms = Object.keys(snapshot.histograms).map((name) => `histograms.${name}`);
  assert.equal(paths.sort(), [...shown, ...sends, ...counters, ...histograms, ...NOT_EXPORTED].sort());
  await server.close();
});

test('a scrape and a look at the statistics each take one snapshot', async () => {
  const { engine, client, server } = await start();
  for (const path of ['/metrics', '/webrtc/stats']) {
    const before = engine.snapshots;
    await client.send('GET', path);
    assert.is(engine.snapshots, before + 1, path);
  }
  await server.close();
});

test('10,000 unknown stream ids make no series', async () => {
  const { client, server } = await start({ processMetrics: false });
  await server.fetch(client.request('POST', '/whep/first'));
  const series = async () => (await server.metrics()).split('\n').filter((line) => !line.startsWith('#')).length;
  const before = await series();
  for (let index = 0; index < 10_000; index++) {
    await server.fetch(client.request('POST', `/whep/id-${Math.random().toString(36).slice(2)}-${index}`));
  }
  assert.is(await series(), before);
  const counted = await client.metric('whep_requests_total{route="whep",code="404",stream=""}');
  assert.is(counted, 10_001);
  await server.close();
});

test('without authorization a request counts under no stream', async () => {
  const { client, server } = await start({ token: 'secret-token', open: ['observe'] });
  await client.send('POST', '/whep/live');
  assert.is(await client.metric('whep_requests_total{route="whep",code="401",stream=""}'), 1);
  await server.close();
});

test('bitrates are those of the last second or more, whoever asks how often', async () => {
  const { engine, client, server } = await start();
  const now = performance.now();
  let bytes = 0;
  engine.script.snapshot = (snapshot) => {
    const counters = { packetsIn: 0, bytesIn: bytes, packetsOut: 0, bytesOut: 3 * bytes, dropped: {} };
    snapshot.streams[0] = { ...streamOf(snapshot), video: counters, audio: { ...counters, bytesIn: 0, bytesOut: 0 } };
    return snapshot;
  };
  const at = async (seconds: number) => {
    Object.defineProperty(performance, 'now', { value: () => now + seconds * 1000, configurable: true });
    return (await client.stats()).streams.live?.bits_per_second;
  };
  try {
    assert.equal(await at(0.5), { in: 0, out: 0 });
    await at(2);
    bytes = 250_000;
    assert.equal(await at(4), { in: 1_000_000, out: 3_000_000 });
    bytes = 9_000_000;
    assert.equal(await at(4.5), { in: 1_000_000, out: 3_000_000 });
  } finally {
    Reflect.deleteProperty(performance, 'now');
  }
  await server.close();
});

function streamOf(snapshot: EngineSnapshot): EngineSnapshot['streams'][number] {
  const [stream] = snapshot.streams;
  if (stream === undefined) throw new Error('the snapshot has no stream');
  return stream;
}

function histogram(count: number): HistogramSnapshot {
  return { bounds: [1], counts: [count], sum: 0, count };
}

test.run();

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { EngineSnapshot, HistogramSnapshot, LegCounters } from './engine/port.ts';
import type { Snapshot, StreamStatus } from './snapshot.ts';
import type { FfmpegReport, PullReport } from './sources/source.ts';

type Labels = Record<string, string>;
type Samples<T> = (readonly [Labels, T])[];

/**
 * Every metric, a row each. Rows with a function are filled from the snapshot of the scrape, `event` and `timing` rows
 * by `count` and `time` when something happens. A `stream` label is the id of a configured stream or empty, so that
 * strangers cannot make new series; viewer ids and addresses are never labels.
 */
export const METRICS = [
  event('whep_requests_total', ['route', 'code', 'stream'], 'HTTP requests answered.'),
  timing('whep_request_duration_seconds', ['route'], 'Time from a request to its response.'),
  event('whep_cap_rejections_total', ['stream', 'scope'], 'Viewers refused because a cap was reached.'),
  event('whep_codec_mismatches_total', ['stream', 'kind'], 'Codecs that a refused offer lacked.'),
  event('whep_profile_mismatches_total', ['stream'], 'Viewers that were sent a profile they had not offered.'),
  event('whep_ffmpeg_leg_failures_total', ['stream', 'leg'], 'Legs that stayed silent for the whole grace time.'),
  event('whep_session_setup_failures_total', ['reason'], 'Sessions that ended before media could flow.'),
  event('whep_sessions_secured_total', ['profile', 'dtls'], 'Sessions that connected, by what DTLS negotiated.'),
  event('whep_sessions_ended_total', ['reason'], 'Sessions that ended.'),

  gauge('whep_viewers', ['stream'], 'Viewers.', (hub) => perStream(hub, (stream) => stream.viewers)),
  gauge('whep_publishers', ['stream'], 'WHIP publishers.', (hub) => perStream(hub, (stream) => stream.publishers)),
  gauge('whep_leg_info', ['stream', 'kind', 'codec', 'profile', 'level'], 'What a leg carries, 1.', ({ streams }) =>
    streams.flatMap(legInfo),
  ),
  gauge('whep_streams', ['state'], 'Streams by state.', ({ streams }) =>
    ['starting', 'live', 'stalled', 'ended'].map((state) => [
      { state },
      streams.filter((stream) => stream.state === state).length,
    ]),
  ),
  gauge('whep_ffmpeg_running', ['stream'], 'Whether the FFmpeg of the stream runs, 1, or not, 0.', (hub) =>
    perFfmpeg(hub, ({ state }) => (state === 'running' ? 1 : 0)),
  ),
  gauge('whep_ffmpeg_frames_per_second', ['stream'], 'Pictures that FFmpeg sends.', (hub) =>
    perFfmpeg(hub, ({ progress }) => progress.framesPerSecond),
  ),
  gauge('whep_ffmpeg_speed_ratio', ['stream'], 'Media time over real time; below 1, FFmpeg is too slow.', (hub) =>
    perFfmpeg(hub, ({ progress }) => progress.speed),
  ),
  counter('whep_ffmpeg_restarts_total', ['stream'], 'Starts of FFmpeg after the first.', (hub) =>
    perFfmpeg(hub, ({ restarts }) => restarts),
  ),
  gauge('whep_pull_playing', ['stream'], 'Whether the other server sends the stream, 1, or not, 0.', (hub) =>
    perPull(hub, ({ state }) => (state === 'playing' ? 1 : 0)),
  ),
  counter(
    'whep_pull_restarts_total',
    ['stream'],
    'Attempts to get the stream from another server after the first.',
    (hub) => perPull(hub, ({ restarts }) => restarts),
  ),
  gauge('whep_engine_queue_depth', ['shard'], 'Packets that wait for a shard.', ({ engine }) =>
    engine.shards.map((shard, index) => [{ shard: String(index) }, shard.queueDepth]),
  ),

  counter('whep_in_packets_total', ['stream', 'kind'], 'RTP packets received.', (hub) => perLeg(hub, 'packetsIn')),
  counter('whep_in_bytes_total', ['stream', 'kind'], 'RTP bytes received.', (hub) => perLeg(hub, 'bytesIn')),
  counter('whep_out_packets_total', ['stream', 'kind'], 'RTP packets sent.', (hub) => perLeg(hub, 'packetsOut')),
  counter('whep_out_bytes_total', ['stream', 'kind'], 'RTP bytes sent.', (hub) => perLeg(hub, 'bytesOut')),
  counter('whep_packets_dropped_total', ['stream', 'reason'], 'Packets that did not get through.', ({ streams }) =>
    streams.flatMap(({ id, drops }) =>
      Object.entries(drops).map(([reason, packets]) => [{ stream: id, reason }, packets] as const),
    ),
  ),
  counter('whep_send_datagrams_total', [], 'Datagrams given to the system by this process.', (hub) =>
    ofSends(hub, 'datagrams'),
  ),
  counter('whep_send_direct_datagrams_total', [], 'Of them, those that went past libdatachannel.', (hub) =>
    ofSends(hub, 'direct'),
  ),
  counter('whep_send_calls_total', [], 'System calls that sent them or tried to.', (hub) => ofSends(hub, 'calls')),
  counter('whep_send_dropped_datagrams_total', [], 'Datagrams that the system did not take.', (hub) =>
    ofSends(hub, 'dropped'),
  ),
  counter(
    'whep_refused_packets_total',
    ['reason'],
    'Packets that were dropped on arrival, whoever sent them.',
    ({ engine }) => Object.entries(engine.refused ?? {}).map(([reason, packets]) => [{ reason }, packets]),
  ),
  counter('whep_nacks_total', ['stream'], 'Packets that viewers asked for again.', (hub) =>
    perStream(hub, ({ media }) => media?.nacks),
  ),
  counter('whep_retransmissions_total', ['stream'], 'Packets sent again.', (hub) =>
    perStream(hub, ({ media }) => media?.retransmissions),
  ),
  counter('whep_keyframe_requests_total', ['stream'], 'PLI and FIR messages from viewers.', (hub) =>
    perStream(hub, ({ media }) => media?.keyframeRequests),
  ),

  histogram('whep_session_setup_seconds', 'Time a session needed for ICE, then for DTLS.', (engine) => [
    [{ phase: 'ice' }, engine.iceSeconds],
    [{ phase: 'dtls' }, engine.dtlsSeconds],
  ]),
  histogram('whep_first_keyframe_seconds', 'Time a connected viewer waited for its first keyframe.', (engine) => [
    [{}, engine.firstKeyframeSeconds],
  ]),
  histogram('whep_rtt_seconds', 'Round trip times that viewers reported.', (engine) => [[{}, engine.rttSeconds]]),
  histogram('whep_loss_ratio', 'Shares of packets lost that viewers reported.', (engine) => [[{}, engine.lossRatio]]),
  histogram(
    'whep_fanout_latency_seconds',
    'Time from a datagram received to its hand-over to the kernel.',
    (engine) => [[{}, engine.fanoutLatencySeconds]],
  ),
  histogram('whep_send_batch_packets', 'Packets per batch handed to the kernel.', (engine) => [
    [{}, engine.sendBatchPackets],
  ]),
  histogram('whep_frame_messages', 'Messages to the kernel that a picture takes for each viewer.', (engine) => [
    [{}, engine.frameMessages],
  ]),
];

type Named<T> = Extract<(typeof METRICS)[number], { type: T }>['name'];

/** Seconds. */
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The metrics of one server. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #events = new Map<Named<'event'>, Counter>();
  readonly #timings = new Map<Named<'timing'>, Histogram>();
  readonly #fills: ((hub: Snapshot) => void)[] = [];
  readonly #processMetrics: boolean;

  constructor(options: { processMetrics: boolean }) {
    this.#processMetrics = options.processMetrics;
    for (const row of METRICS) this.#register(row);
  }

  count(name: Named<'event'>, labels: Labels): void {
    this.#events.get(name)?.inc(labels);
  }

  time(name: Named<'timing'>, labels: Labels, seconds: number): void {
    this.#timings.get(name)?.observe(labels, seconds);
  }

  /** Drops the counters of a stream that is no more. */
  async forget(stream: string): Promise<void> {
    for (const metric of this.#events.values()) {
      const { values } = await metric.get();
      for (const { labels } of values) if (labels.stream === stream) metric.remove(labels);
    }
  }

  /** The Prometheus text format 0.0.4, all of it from the one snapshot given. */
  async text(hub: Snapshot): Promise<string> {
    for (const fill of this.#fills) fill(hub);
    const histograms = METRICS.flatMap((row) => (row.type === 'histogram' ? [histogramText(row, hub)] : []));
    const ofProcess = this.#processMetrics ? [await processRegistry().metrics()] : [];
    return [await this.#registry.metrics(), ...histograms, ...ofProcess].map((part) => `${part.trim()}\n`).join('\n');
  }

  #register(row: (typeof METRICS)[number]): void {
    if (row.type === 'histogram') return;
    const config = { name: row.name, help: row.help, labelNames: row.labels, registers: [this.#registry] };
    if (row.type === 'event') {
      this.#events.set(row.name, new Counter(config));
    } else if (row.type === 'timing') {
      this.#timings.set(row.name, new Histogram({ ...config, buckets: REQUEST_BUCKETS }));
    } else if (row.type === 'counter') {
      const metric = new Counter(config);
      this.#fills.push((hub) => {
        metric.reset();
        for (const [labels, value] of row.read(hub)) metric.inc(labels, value);
      });
    } else {
      const metric = new Gauge(config);
      this.#fills.push((hub) => {
        metric.reset();
        for (const [labels, value] of row.read(hub)) metric.set(labels, value);
      });
    }
  }
}

/** OpenMetrics 1.0: a counter family is named without `_total`, nothing is blank, and the end is marked. */
export function openMetrics(text: string): string {
  const counters = /^# HELP (\S+)_total (.*)\n# TYPE \1_total counter$/gm;
  return `${text.replace(counters, '# HELP $1 $2\n# TYPE $1 counter').replace(/\n{2,}/g, '\n')}# EOF\n`;
}

let shared: Registry | undefined;

/** One for the process, as its facts are: each call of `collectDefaultMetrics` leaves observers behind. */
function processRegistry(): Registry {
  if (shared === undefined) {
    shared = new Registry();
    collectDefaultMetrics({ register: shared });
  }
  return shared;
}

function event<const N extends string>(name: N, labels: string[], help: string) {
  return { type: 'event' as const, name, labels, help };
}

function timing<const N extends string>(name: N, labels: string[], help: string) {
  return { type: 'timing' as const, name, labels, help };
}

function counter(name: string, labels: string[], help: string, read: (hub: Snapshot) => Samples<number>) {
  return { type: 'counter' as const, name, labels, help, read };
}

function gauge(name: string, labels: string[], help: string, read: (hub: Snapshot) => Samples<number>) {
  return { type: 'gauge' as const, name, labels, help, read };
}

type Histograms = EngineSnapshot['histograms'];

function histogram(name: string, help: string, read: (histograms: Histograms) => Samples<HistogramSnapshot>) {
  return { type: 'histogram' as const, name, help, read };
}

function perStream({ streams }: Snapshot, value: (stream: StreamStatus) => number | undefined): Samples<number> {
  return streams.map((stream) => [{ stream: stream.id }, value(stream) ?? 0]);
}

function perFfmpeg({ streams }: Snapshot, value: (ffmpeg: FfmpegReport) => number | undefined): Samples<number> {
  return streams.flatMap(({ id, report: { ffmpeg } }) => {
    const sample = ffmpeg && value(ffmpeg);
    return sample === undefined ? [] : [[{ stream: id }, sample] as const];
  });
}

function perPull({ streams }: Snapshot, value: (pull: PullReport) => number): Samples<number> {
  return streams.flatMap(({ id, report: { pull } }) => (pull ? [[{ stream: id }, value(pull)] as const] : []));
}

function ofSends({ engine: { sends } }: Snapshot, field: keyof NonNullable<EngineSnapshot['sends']>): Samples<number> {
  return sends === undefined ? [] : [[{}, sends[field]]];
}

function perLeg({ streams }: Snapshot, field: 'packetsIn' | 'bytesIn' | 'packetsOut' | 'bytesOut'): Samples<number> {
  return streams.flatMap(({ id, media }) =>
    (['video', 'audio'] as const).flatMap((kind) => {
      const leg: LegCounters | undefined = media?.[kind];
      return leg === undefined ? [] : [[{ stream: id, kind }, leg[field]] as const];
    }),
  );
}

/** Of legs that have told; `profile` and `level` are empty where the codec has none. */
function legInfo({ id, media, described }: StreamStatus): Samples<number> {
  const { video, audio } = media?.facts ?? {};
  const { profile = '', level = '' } = described;
  return [
    ...(video?.parameters ? [[{ stream: id, kind: 'video', codec: video.codec, profile, level }, 1] as const] : []),
    ...(audio?.active ? [[{ stream: id, kind: 'audio', codec: audio.codec, profile: '', level: '' }, 1] as const] : []),
  ];
}

/** The engine counts in its own threads; prom-client's histograms can only be filled observation by observation. */
function histogramText(row: ReturnType<typeof histogram>, { engine }: Snapshot): string {
  const { name, help } = row;
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  for (const [labels, { bounds, counts, sum, count }] of row.read(engine.histograms)) {
    const own = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const braces = (more: string[]) => ([...own, ...more].length > 0 ? `{${[...own, ...more].join(',')}}` : '');
    bounds.forEach((bound, index) => {
      lines.push(`${name}_bucket${braces([`le="${bound}"`])} ${counts[index] ?? count}`);
    });
    lines.push(`${name}_bucket${braces(['le="+Inf"'])} ${count}`);
    lines.push(`${name}_sum${braces([])} ${sum}`, `${name}_count${braces([])} ${count}`);
  }
  return lines.join('\n');
}

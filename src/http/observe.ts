import { Failure } from '../errors.ts';
import { openMetrics } from '../metrics.ts';
import { currentRuntime } from '../runtime.ts';
import type { Snapshot, StreamStatus } from '../snapshot.ts';
import type { FfmpegReport, PullReport } from '../sources/source.ts';
import type { Route, Services } from './exchange.ts';
import { json, prefers } from './message.ts';
import type { Stats, StreamStats } from './schemas.ts';

const TEXT = { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8', 'Cache-Control': 'no-store' };
const OPEN = { ...TEXT, 'Content-Type': 'application/openmetrics-text; version=1.0.0; charset=utf-8' };

/** Statistics, metrics and health. */
export function observeRoutes({ hub, metrics }: Services): Route[] {
  const health = () => {
    if (hub.closing) throw new Failure('closing', 'closing');
    return new Response('ok', {
      headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' },
    });
  };
  return [
    { name: 'stats', action: 'observe', path: '/webrtc/stats', methods: { GET: () => json(statsOf(hub.snapshot())) } },
    {
      name: 'metrics',
      action: 'observe',
      path: '/metrics',
      methods: {
        GET: async ({ request }) => {
          const text = await metrics.text(hub.snapshot());
          const open = prefers(request.headers.get('accept'), 'application/openmetrics-text', 'text/plain');
          return open ? new Response(openMetrics(text), { headers: OPEN }) : new Response(text, { headers: TEXT });
        },
      },
    },
    { name: 'health', path: '/healthz', methods: { GET: health } },
    // A server exists only once its engine runs: what is healthy is ready.
    { name: 'health', path: '/readyz', methods: { GET: health } },
  ];
}

/** The statistics document; its first four fields are those of the classic contract. */
export function statsOf(snapshot: Snapshot): Stats {
  const { engine, engineKind, streams, viewers, publishers, uptimeSeconds } = snapshot;
  return {
    active_streams: streams.filter(({ state }) => state === 'live').length,
    active_peers: viewers,
    active_publishers: publishers,
    udp_ports_in_use: engine.udpPorts,
    engine: engineKind,
    limits: [...(engine.limits ?? [])],
    refused: engine.refused ?? {},
    runtime: currentRuntime(),
    uptime_seconds: uptimeSeconds,
    streams: Object.fromEntries(streams.map((stream) => [stream.id, streamStats(stream)])),
  };
}

function streamStats(stream: StreamStatus): StreamStats {
  const { state, source, report, viewers, publishers, media, bitrate, drops, warnings, described } = stream;
  const legs = [media?.video, media?.audio];
  const sum = (field: 'packetsIn' | 'packetsOut') => legs.reduce((total, leg) => total + (leg?.[field] ?? 0), 0);
  const { video, audio } = media?.facts ?? {};
  // What a publisher or another server sends is agreed when it comes.
  const agreed = source === 'whip' || source === 'whep';
  return {
    state,
    source,
    ffmpeg: report.ffmpeg && ffmpegStats(report.ffmpeg),
    pull: report.pull && pullStats(report.pull),
    viewers,
    publishers,
    video: video && {
      active: video.active,
      codec: agreed && !video.active && !video.parameters ? undefined : video.codec,
      profile_level_id: video.parameters?.['profile-level-id'],
      profile: described.profile,
      level: described.level,
      tier: described.tier,
      width: video.width,
      height: video.height,
      bit_depth: video.bitDepth,
      frames_per_second: video.framesPerSecond,
      nominal_frames_per_second: video.nominalFramesPerSecond,
      reorder_frames: video.reorderFrames,
      interlaced: video.interlaced,
      parameter_changes: video.parameterChanges,
      gop_frames: video.gopFrames,
      gop_seconds: video.gopSeconds,
      b_frames: video.bFrames,
      keyframe_age_seconds: video.keyframeAge,
      lost: video.lost,
    },
    audio: audio && {
      active: audio.active,
      codec: agreed && !audio.active && !audio.channels ? undefined : audio.codec,
      channels: audio.channels,
      wrong_codec: audio.wrongCodec,
      timestamp_breaks: audio.timestampBreaks,
      lost: audio.lost,
    },
    bits_per_second: bitrate,
    packets: { in: sum('packetsIn'), out: sum('packetsOut') },
    dropped: drops,
    nacks: media?.nacks ?? 0,
    retransmissions: media?.retransmissions ?? 0,
    keyframe_requests: media?.keyframeRequests ?? 0,
    warnings,
  };
}

function ffmpegStats({ state, restarts, lastError, video, audio, progress }: FfmpegReport): StreamStats['ffmpeg'] {
  return {
    state,
    restarts,
    last_error: lastError,
    video,
    audio,
    frames_per_second: progress.framesPerSecond,
    speed: progress.speed,
    duplicated_frames: progress.duplicated,
    dropped_frames: progress.dropped,
  };
}

function pullStats({ state, restarts, lastError, path }: PullReport): StreamStats['pull'] {
  return { state, restarts, last_error: lastError, hops: path.length };
}

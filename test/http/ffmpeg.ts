import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer } from '../../src/index.ts';
import type { FfmpegReport, Source } from '../../src/sources/source.ts';
import { Client } from '../support/contract/client.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('what FFmpeg says of itself');

function source(ffmpeg: FfmpegReport): Source {
  return {
    kind: 'ffmpeg',
    ingress: { kind: 'rtp', host: '127.0.0.1', video: { port: 0, codec: 'h264' } },
    start: async () => {},
    stop: async () => {},
    describe: () => 'ffmpeg:film.mp4',
    report: () => ({ ffmpeg }),
  };
}

test('is in the statistics and in the metrics; other sources say nothing', async () => {
  const engine = new FakeEngine();
  const progress = { frames: 90, framesPerSecond: 29.97, speed: 0.98, duplicated: 3, dropped: 4 };
  const running = source({ state: 'running', restarts: 2, lastError: 'signal 9', video: 'copy', progress });
  const waiting = source({ state: 'waiting', restarts: 5, lastError: 'exit code 1', progress: {} });
  const server = await createServer({ engine, streams: { running, waiting, live: 'clip' } });
  const client = new Client({ ...server, engine });
  const { streams } = await client.stats();
  assert.equal(streams.running?.ffmpeg, {
    state: 'running',
    restarts: 2,
    last_error: 'signal 9',
    video: 'copy',
    frames_per_second: 29.97,
    speed: 0.98,
    duplicated_frames: 3,
    dropped_frames: 4,
  });
  assert.equal(streams.waiting?.ffmpeg, { state: 'waiting', restarts: 5, last_error: 'exit code 1' });
  assert.is(streams.live?.ffmpeg, undefined);
  assert.is(await client.metric('whep_ffmpeg_restarts_total{stream="running"}'), 2);
  assert.is(await client.metric('whep_ffmpeg_frames_per_second{stream="running"}'), 29.97);
  assert.is(await client.metric('whep_ffmpeg_speed_ratio{stream="running"}'), 0.98);
  assert.is(await client.metric('whep_ffmpeg_running{stream="running"}'), 1);
  const { text } = await client.send('GET', '/metrics');
  assert.match(text, 'whep_ffmpeg_running{stream="waiting"} 0');
  assert.not.match(text, /whep_ffmpeg_\w+\{stream="live"\}|whep_ffmpeg_speed_ratio\{stream="waiting"\}/);
  await server.close();
});

test.run();

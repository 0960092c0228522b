import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Codec } from '../../src/engine/codecs.ts';
import type { AudioFacts, StreamFacts, VideoFacts } from '../../src/engine/port.ts';
import type { Stats } from '../../src/http/schemas.ts';
import type { Source } from '../../src/index.ts';
import { PUBLISH, type Reply, SDP, WATCH } from '../support/contract/client.ts';
import { inTime, type World } from '../support/in-time.ts';

const test = suite('streams of every codec');

/** What has begun to arrive. */
function plays({ engine }: World, stream: string, facts: { video?: Partial<VideoFacts>; audio?: AudioFacts }): void {
  const entry = engine.streams.get(stream);
  if (entry === undefined) throw new Error(`there is no stream ${stream}`);
  const { video, audio } = facts;
  const known: StreamFacts = {
    ...(video && { video: { active: true, codec: 'h264', parameters: {}, bFrames: false, ...video } }),
    ...(audio && { audio }),
  };
  entry.facts = known;
  if (video) engine.emit({ type: 'leg-active', stream, leg: 'video' });
  if (audio) engine.emit({ type: 'leg-active', stream, leg: 'audio' });
}

async function statsOf({ client }: World, stream: string) {
  const { text } = await client.send('GET', '/webrtc/stats');
  const stats: Stats = JSON.parse(text);
  return stats.streams[stream];
}

test(
  'the statistics say codec, profile, level, tier, size, depth and channels',
  inTime({ streams: { cam: 'rtp:0,0' } }, async (world) => {
    const cases: [video: Partial<VideoFacts>, told: object][] = [
      [
        { parameters: { 'profile-level-id': '640029' } },
        { codec: 'h264', profile_level_id: '640029', profile: 'High', level: '4.1' },
      ],
      [
        { codec: 'vp8', width: 640, height: 360 },
        { codec: 'vp8', width: 640, height: 360 },
      ],
      [
        { codec: 'vp9', parameters: { 'profile-id': '2' }, bitDepth: 10 },
        { codec: 'vp9', profile: 'profile 2', bit_depth: 10 },
      ],
      [
        { codec: 'av1', parameters: { profile: '0', 'level-idx': '13', tier: '1' } },
        { codec: 'av1', profile: 'Main', level: '5.1', tier: 'High' },
      ],
      [
        { codec: 'h265', parameters: { 'profile-id': '2', 'tier-flag': '0', 'level-id': '120' }, bitDepth: 10 },
        { codec: 'h265', profile: 'Main 10', level: '4.0', tier: 'Main', bit_depth: 10 },
      ],
    ];
    for (const [video, told] of cases) {
      plays(world, 'cam', { video, audio: { active: true, codec: 'multiopus', channels: 6 } });
      const seen = await statsOf(world, 'cam');
      assert.equal(seen?.video, { active: true, b_frames: false, ...told });
      assert.equal(seen?.audio, { active: true, codec: 'multiopus', channels: 6 });
    }
  }),
);

test(
  'the metrics name the codec of each leg that has told it',
  inTime({ streams: { cam: 'rtp:0,0' } }, async (world) => {
    const info = (labels: string) => world.client.metric(`whep_leg_info{stream="cam",${labels}}`);
    const av1 = 'kind="video",codec="av1",profile="Main",level="3.1"';
    plays(world, 'cam', {
      video: { codec: 'av1', parameters: { profile: '0', 'level-idx': '5' } },
      audio: { active: true, codec: 'pcma', channels: 1 },
    });
    assert.is(await info(av1), 1);
    assert.is(await info('kind="audio",codec="pcma",profile="",level=""'), 1);
    plays(world, 'cam', { video: { codec: 'vp8' } });
    assert.is(await info('kind="video",codec="vp8",profile="",level=""'), 1);
    assert.is(await info(av1), 0, 'the old one is gone');
  }),
);

test(
  'a stream of a codec without parameters is live once that is known, and watched by it',
  inTime({ streams: { cam: 'rtp:0' } }, async (world) => {
    plays(world, 'cam', { video: { codec: 'vp8' } });
    assert.is(world.state('cam'), 'live');
    const { reply } = await world.client.watch('/whep/cam');
    assert.match(reply.text, 'm=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n');
  }),
);

test(
  'who lacks the codec is told which, and it is counted',
  inTime({ streams: { cam: 'rtp:0' } }, async (world) => {
    plays(world, 'cam', { video: { codec: 'vp9', parameters: { 'profile-id': '0' } } });
    const body = WATCH.replaceAll('VP9/90000', 'VP7/90000');
    const { status, text } = await world.client.send('POST', '/whep/cam', { headers: SDP, body });
    assert.equal([status, text], [406, 'webrtc: codec mismatch -- offer is missing: VP9']);
    assert.is(await world.client.metric('whep_codec_mismatches_total{stream="cam",kind="vp9"}'), 1);
  }),
);

test(
  'a warning of the negotiation is among those of the stream',
  inTime({ streams: { cam: 'rtp:0' } }, async (world) => {
    plays(world, 'cam', { video: { codec: 'av1', parameters: { profile: '2' } } });
    await world.client.send('POST', '/whep/cam', { headers: SDP, body: WATCH });
    assert.match((await statsOf(world, 'cam'))?.warnings.join() ?? '', /AV1 Professional.*-pix_fmt yuv420p/);
  }),
);

function publish({ client }: World, body: string): Promise<Reply> {
  return client.send('POST', '/whip/pub', { headers: SDP, body });
}

function kinds({ server }: World): string[] {
  return [...server.sessions].map(({ kind }) => kind);
}

const WITHOUT_H264 = PUBLISH.replaceAll('H264/90000', 'VP7/90000');

test(
  'a publisher that comes back with another codec ends the sessions of viewers, who come back to it',
  inTime({ streams: { pub: 'whip' } }, async (world) => {
    const { client, engine } = world;
    const first = await publish(world, PUBLISH);
    const { location, reply } = await client.watch('/whep/pub');
    assert.match(reply.text, 'H264/90000');
    const subscribed = await client.send('POST', `${location}/events`);
    const events = await client.open('GET', subscribed.headers.get('location') ?? '');
    await client.send('DELETE', first.headers.get('location') ?? '');
    assert.equal(kinds(world), ['viewer'], 'it waits for a source');
    assert.is((await publish(world, WITHOUT_H264)).status, 201);
    assert.equal(kinds(world), ['publisher']);
    assert.is(await client.metric('whep_sessions_ended_total{reason="codec-changed"}'), 1);
    assert.is(await client.metric('whep_session_setup_failures_total{reason="codec-changed"}'), 0);
    assert.match(await events.text(), /event: reconnect\ndata: \{"reason":"codec-changed"\}\n\n$/);
    assert.match((await client.watch('/whep/pub')).reply.text, 'VP8/90000');
    assert.equal(
      [...engine.peers.values()].map(({ media }) => media.find(({ kind }) => kind === 'video')?.codec),
      ['vp8', 'vp8'],
    );
  }),
);

test(
  'a viewer whose stream changes its codec while it joins may try again',
  inTime({ streams: { pub: 'whip' } }, async (world) => {
    const { client, engine } = world;
    await publish(world, PUBLISH);
    engine.script.addPeer = async ({ id }) => {
      engine.script = {};
      engine.emit({ type: 'session-ended', session: id, reason: 'codec-changed' });
    };
    const { status, headers } = await client.send('POST', '/whep/pub', { headers: SDP, body: WATCH });
    assert.equal([status, headers.has('retry-after')], [409, true]);
  }),
);

test(
  'what a publisher will send is not told before there is one',
  inTime({ streams: { pub: 'whip', cam: 'rtp:5004,5006' } }, async ({ client }) => {
    const carried = async (stream: string) => {
      const { video, audio } = (await client.stats()).streams[stream] ?? {};
      return [video?.codec, audio?.codec];
    };
    assert.equal(await carried('pub'), [undefined, undefined]);
    assert.equal(await carried('cam'), ['h264', 'opus']);
  }),
);

test(
  'a source says what publishers may send, in its order',
  inTime({}, async (world) => {
    const codecs: Codec[] = ['vp9', 'h264'];
    const source: Source = {
      kind: 'whip',
      ingress: { kind: 'publisher', legs: ['video', 'audio'] },
      codecs,
      start: async () => {},
      stop: async () => {},
      describe: () => 'whip',
    };
    await world.server.streams.add('pub', source);
    assert.match((await publish(world, PUBLISH)).text, 'm=video 9 UDP/TLS/RTP/SAVPF 98\r\n');
    assert.is((await publish(world, PUBLISH)).status, 409);
  }),
);

test.run();

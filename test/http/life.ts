import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SDP, WATCH } from '../support/contract/client.ts';
import { h264Facts } from '../support/facts.ts';
import { inTime } from '../support/in-time.ts';

const test = suite('sessions and streams in time');

test(
  'a session that never connects is reaped after 15 s',
  inTime({}, async ({ clock, engine, client, viewers }) => {
    await client.watch();
    await clock.advance(14_900);
    assert.is(viewers(), 1);
    await clock.advance(200);
    assert.equal([viewers(), engine.peers.size], [0, 0]);
    assert.is(await client.metric('whep_sessions_ended_total{reason="setup-timeout"}'), 1);
    assert.is(await client.metric('whep_session_setup_failures_total{reason="setup-timeout"}'), 1);
  }),
);

test(
  'a session that connects stays, and its end is no setup failure',
  inTime({}, async (world) => {
    const { clock, engine, client, server, viewers } = world;
    const { location } = await client.watch();
    const id = location.split('/').at(-1) ?? '';
    engine.emit({ type: 'session-connected', session: id, srtpProfile: 'SRTP_AEAD_AES_128_GCM', dtlsVersion: '1.2' });
    const secured = 'whep_sessions_secured_total{profile="SRTP_AEAD_AES_128_GCM",dtls="1.2"}';
    assert.is(await client.metric(secured), 1);
    await clock.advance(60_000);
    assert.equal([viewers(), server.sessions.get(id)?.state], [1, 'connected']);
    engine.emit({ type: 'session-ended', session: id, reason: 'consent-lost' });
    assert.is(viewers(), 0);
    assert.is(await client.metric('whep_sessions_ended_total{reason="consent-lost"}'), 1);
    assert.is(await client.metric('whep_session_setup_failures_total{reason="consent-lost"}'), 0);
  }),
);

test(
  'ICE and DTLS failures end a session and are counted by reason',
  inTime({}, async ({ engine, client, viewers }) => {
    for (const reason of ['ice-failed', 'dtls-failed', 'setup-timeout'] as const) {
      const { location } = await client.watch();
      engine.emit({ type: 'session-ended', session: location.split('/').at(-1) ?? '', reason });
      assert.is(viewers(), 0);
      assert.is(await client.metric(`whep_session_setup_failures_total{reason="${reason}"}`), 1);
    }
  }),
);

test(
  'events of sessions and streams that are not there change nothing',
  inTime({}, async ({ engine, viewers, client }) => {
    await client.watch();
    engine.emit(
      { type: 'session-ended', session: 'unknown', reason: 'consent-lost' },
      { type: 'session-connected', session: 'unknown' },
      { type: 'leg-inactive', stream: 'unknown', leg: 'video', reason: 'silent' },
      { type: 'leg-active', stream: 'unknown', leg: 'video' },
      { type: 'warning', stream: 'unknown', code: 'x', text: '{x}' },
      { type: 'log', level: 'info', text: '{x}' },
    );
    assert.is(viewers(), 1);
  }),
);

test(
  'an engine that does not answer is 504 after 10 s, and the place is free',
  inTime({}, async (world) => {
    const { clock, engine, client, viewers } = world;
    let made = () => {};
    engine.script.addPeer = () =>
      new Promise((resolve) => {
        made = resolve;
      });
    const reply = client.send('POST', '/whep/live', { headers: SDP, body: WATCH });
    await clock.advance(9_900);
    assert.is(viewers(), 1);
    await clock.advance(200);
    assert.equal([(await reply).status, (await reply).text, viewers()], [504, 'create peer: timed out', 0]);
    made();
    await clock.advance(1);
    assert.is(engine.peers.size, 0, 'what the engine makes too late is removed');
  }),
);

for (const hook of ['authorize', 'iceServers'] as const) {
  const asked: string[] = [];
  const never = () => {
    asked.push(hook);
    return new Promise<never>(() => {});
  };
  test(
    `an ${hook} hook that never answers is a bare 500 after 10 s, and holds no place`,
    inTime({ [hook]: never }, async (world) => {
      const { clock, client, viewers } = world;
      const reply = client.send('POST', '/whep/live', { headers: SDP, body: WATCH });
      let answered = false;
      void reply.then(() => {
        answered = true;
      });
      await clock.advance(9_900);
      assert.equal([asked.length, answered, viewers()], [1, false, 0]);
      await clock.advance(200);
      assert.equal([(await reply).status, (await reply).text, viewers()], [500, 'internal error', 0]);
    }),
  );
}

test(
  'warnings that viewers cause are kept once each, and only the first eight',
  inTime({}, async ({ client }) => {
    const profiles = ['42001f', '64001f', '4d001f', '58001f', '640c1f', '64081f', 'f4001f'];
    for (const [at, profile] of profiles.entries()) {
      for (const more of profiles.slice(at + 1)) {
        const fmtp = (id: string) => `packetization-mode=1;profile-level-id=${id}`;
        const body = WATCH.replaceAll(/profile-level-id=\w+/g, 'profile-level-id=x')
          .replace(/packetization-mode=1;profile-level-id=x/, fmtp(profile))
          .replace(/packetization-mode=1;profile-level-id=x/, fmtp(more));
        const { location } = await client.watch('/whep/live', { body });
        await client.send('DELETE', location);
      }
    }
    const { warnings = [] } = (await client.stats()).streams.live ?? {};
    assert.equal([warnings.length, new Set(warnings).size], [8, 8]);
  }),
);

test(
  'a silent stream is stalled; its viewers are closed after the grace time',
  inTime({}, async (world) => {
    const { clock, engine, client, viewers, state } = world;
    await client.watch();
    engine.emit({ type: 'session-connected', session: [...world.server.sessions][0]?.id ?? '' });
    engine.leg('live', 'video', false);
    engine.leg('live', 'audio', false);
    assert.is(state(), 'stalled');
    assert.is((await client.send('POST', '/whep/live')).status, 409);
    await clock.advance(9_900);
    assert.equal([viewers(), state()], [1, 'stalled']);
    await clock.advance(200);
    assert.equal([viewers(), state(), engine.peers.size], [0, 'ended', 0]);
    for (const leg of ['video', 'audio']) {
      assert.is(await client.metric(`whep_ffmpeg_leg_failures_total{stream="live",leg="${leg}"}`), 1);
    }
    assert.is(await client.metric('whep_sessions_ended_total{reason="stream-ended"}'), 1);
    assert.is((await client.send('POST', '/whep/live')).status, 409);
    engine.leg('live', 'video', true);
    assert.is(state(), 'live');
    await client.watch();
  }),
);

test(
  'a source that comes back within the grace time keeps its viewers',
  inTime({}, async (world) => {
    const { clock, engine, client, viewers, state } = world;
    await client.watch();
    engine.emit({ type: 'session-connected', session: [...world.server.sessions][0]?.id ?? '' });
    for (let round = 0; round < 3; round++) {
      engine.leg('live', 'video', false);
      engine.leg('live', 'audio', false);
      await clock.advance(9_000);
      assert.is(state(), 'stalled');
      engine.leg('live', 'audio', true);
      engine.leg('live', 'video', true);
      assert.is(state(), 'live');
    }
    await clock.advance(60_000);
    assert.is(viewers(), 1);
    assert.is(await client.metric('whep_ffmpeg_leg_failures_total{stream="live",leg="video"}'), 0);
  }),
);

test(
  'one leg that dies alone leaves the other playing and is counted',
  inTime({}, async (world) => {
    const { clock, engine, client, viewers, state } = world;
    await client.watch();
    engine.emit({ type: 'session-connected', session: [...world.server.sessions][0]?.id ?? '' });
    engine.leg('live', 'audio', false);
    await clock.advance(60_000);
    assert.equal([viewers(), state()], [1, 'live']);
    assert.is(await client.metric('whep_ffmpeg_leg_failures_total{stream="live",leg="audio"}'), 1);
    engine.leg('live', 'video', false);
    await clock.advance(9_900);
    assert.is(viewers(), 1, 'the last leg has a grace time of its own');
    await clock.advance(200);
    assert.is(viewers(), 0);
  }),
);

test(
  'a grace time of 0 ends viewers at once',
  inTime({ graceSeconds: 0 }, async ({ engine, client, viewers, state }) => {
    await client.watch();
    engine.leg('live', 'video', false);
    assert.is(viewers(), 1);
    engine.leg('live', 'audio', false);
    assert.equal([viewers(), state()], [0, 'ended']);
    assert.is(await client.metric('whep_ffmpeg_leg_failures_total{stream="live",leg="video"}'), 1);
  }),
);

test(
  'a video leg makes a stream live once its profile is known',
  inTime({ streams: { cam: 'rtp:0' } }, async (world) => {
    const { clock, engine, client, state } = world;
    assert.is(state('cam'), 'starting');
    const entry = engine.streams.get('cam');
    if (entry === undefined) throw new Error('there is no stream');
    entry.facts = { video: h264Facts() };
    engine.emit({ type: 'leg-active', stream: 'cam', leg: 'video' });
    assert.is(state('cam'), 'starting');
    let answered = false;
    const early = client.send('POST', '/whep/cam').finally(() => {
      answered = true;
    });
    for (let step = 0; !answered && step < 500; step++) await clock.advance(20);
    assert.is((await early).status, 409);
    await clock.advance(8_100);
    assert.is(state('cam'), 'stalled');
    entry.facts = { video: h264Facts('42c01f') };
    assert.is(state('cam'), 'live');
    await client.watch('/whep/cam');
  }),
);

test(
  'a source that never delivers is starting, then stalled',
  inTime({ streams: { cam: 'rtp:0,0' } }, async (world) => {
    const { clock, client, state } = world;
    assert.is(state('cam'), 'starting');
    await clock.advance(10_100);
    assert.is(state('cam'), 'stalled');
    assert.is((await client.send('POST', '/whep/cam')).status, 409);
  }),
);

test.run();

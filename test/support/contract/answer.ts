import * as assert from 'uvu/assert';
import { Failure } from '../../../src/errors.ts';
import { edit } from '../exchange.ts';
import { LIVE } from '../fake-engine.ts';
import { type Client, SDP, WATCH } from './client.ts';
import type { Row } from './row.ts';

const DRAFT = { conformance: 'draft' } as const;
const NO_H264 = WATCH.replaceAll('H264/90000', 'VP7/90000');
const NO_OPUS = WATCH.replaceAll('opus/48000', 'OPUX/48000');
export const NEITHER = NO_H264.replaceAll('opus/48000', 'OPUX/48000');

/** `POST /whep/:id`, from the rules of the offer to the answer. */
export const answer: Row[] = [
  {
    name: '10: an offer that breaks a rule is 400 and says which',
    run: async (client) => {
      const broken: [string, RegExp][] = [
        [edit(WATCH, 'a=fingerprint'), /fingerprint/],
        [edit(WATCH, 'a=ice-ufrag', 'a=ice-ufrag:abc'), /ufrag/],
        [edit(WATCH, 'a=ice-pwd', 'a=ice-pwd:short'), /pwd/],
        [edit(WATCH, 'a=recvonly', 'a=sendonly'), /sendonly/],
        [edit(WATCH, 'a=recvonly', 'a=inactive'), /inactive/],
        [edit(WATCH, 'a=rtcp-mux'), /rtcp-mux/],
        [edit(WATCH, 'a=setup'), /setup/],
        [WATCH.slice(0, WATCH.indexOf('m=')), /m-line/],
        [WATCH.replace('t=0 0', 't=zero'), /t=zero/],
      ];
      for (const [body, reason] of broken) {
        const reply = await client.send('POST', '/whep/live', { headers: SDP, body });
        assert.is(reply.status, 400, `${reason}: ${reply.text}`);
        assert.match(reply.text, reason);
      }
    },
  },
  {
    name: '11: classic: an offer that lacks a codec of the stream is 406 and names it',
    run: async (client) => {
      const h264 = await client.metric('whep_codec_mismatches_total{stream="live",kind="h264"}');
      const cases = { 'H264, Opus': NEITHER, H264: NO_H264, Opus: NO_OPUS };
      for (const [missing, body] of Object.entries(cases)) {
        const reply = await client.send('POST', '/whep/live', { headers: SDP, body });
        const text = `webrtc: codec mismatch -- offer is missing: ${missing}`;
        assert.equal([reply.status, reply.text], [406, text]);
      }
      assert.is(await client.metric('whep_codec_mismatches_total{stream="live",kind="h264"}'), h264 + 2);
    },
  },
  {
    name: '11: H264 in the text of an offer is not H264 offered',
    run: async (client) => {
      const body = NO_H264.replace('s=-', 's=H264/90000 packetization-mode=1');
      assert.is((await client.send('POST', '/whep/live', { headers: SDP, body })).status, 406);
      const single = WATCH.replaceAll('packetization-mode=1', 'packetization-mode=0');
      const reply = await client.send('POST', '/whep/live', { headers: SDP, body: single });
      assert.is(reply.status, 406);
      assert.match(reply.text, 'packetization-mode=1');
    },
  },
  {
    name: '11: draft: one codec is enough, none is 422',
    options: DRAFT,
    run: async (client) => {
      await client.watch('/whep/live', { body: NO_H264 });
      await client.watch('/whep/live', { body: NO_OPUS });
      assert.is((await client.send('POST', '/whep/live', { headers: SDP, body: NEITHER })).status, 422);
    },
  },
  {
    name: '11: a stream without audio needs no Opus, and one without video no H264',
    needs: 'script',
    options: { streams: { mute: 'rtp:0', radio: 'rtp:,0' } },
    run: async (client) => {
      client.engine.leg('mute', 'video', true);
      client.engine.leg('radio', 'audio', true);
      await client.watch('/whep/mute', { body: NO_OPUS });
      await client.watch('/whep/radio', { body: NO_H264 });
      assert.is((await client.send('POST', '/whep/radio', { headers: SDP, body: NO_OPUS })).status, 406);
    },
  },
  {
    name: '12: an engine that fails is 500, one that is too slow 504, and neither tells why',
    needs: 'script',
    run: async (client) => {
      const failures: [Error, number][] = [
        [new Failure('engine-timeout', 'peer 7 at /opt/x.rs:12'), 504],
        [new Failure('engine-failed', 'peer 7 at /opt/x.rs:12'), 500],
        [new Error('peer 7 at /opt/x.rs:12'), 500],
      ];
      for (const [failure, status] of failures) {
        client.engine.script.addPeer = async () => Promise.reject(failure);
        const reply = await client.send('POST', '/whep/live', { headers: SDP, body: WATCH });
        assert.is(reply.status, status);
        assert.match(reply.text, /^create peer: (?!.*x\.rs)/);
      }
      assert.is((await client.stats()).active_peers, 0);
    },
  },
  {
    name: '12: an offer that only the engine finds wrong is 400',
    needs: 'script',
    run: async (client) => {
      client.engine.script.addPeer = async () => Promise.reject(new Failure('invalid-offer', 'bad offer'));
      assert.is((await client.send('POST', '/whep/live', { headers: SDP, body: WATCH })).status, 400);
    },
  },
  {
    name: '13: 201 with type, length, Location, ETag and an answer in CRLF that begins with v=0',
    run: async (client) => {
      const { location, tag, reply } = await client.watch();
      assert.match(location, /^\/whep\/live\/[A-Za-z0-9_-]{22}$/);
      assert.is(tag, `"${location.split('/').at(-1)}-1"`);
      assert.is(reply.headers.get('content-type'), 'application/sdp');
      assert.is(reply.headers.get('content-length'), String(reply.text.length));
      assert.ok(reply.text.startsWith('v=0\r\n') && reply.text.length < 8192);
      assert.is(reply.text.replaceAll('\r\n', '').match(/[\r\n]/), null);
      assert.match(reply.text, /^a=candidate:/m);
    },
  },
  {
    name: '13: the answer leads DTLS only if the offer insists on that',
    run: async (client) => {
      for (const [offered, answered] of [
        ['actpass', 'passive'],
        ['active', 'passive'],
        ['passive', 'active'],
      ] as const) {
        const { reply } = await client.watch('/whep/live', { body: edit(WATCH, 'a=setup', `a=setup:${offered}`) });
        assert.equal([...new Set(reply.text.match(/(?<=^a=setup:)\w+/gm))], [answered]);
      }
    },
  },
  {
    name: '13: ids of sessions differ',
    run: async (client) => {
      const locations = await Promise.all([client.watch(), client.watch(), client.watch()]);
      assert.is(new Set(locations.map(({ location }) => location)).size, 3);
    },
  },
  {
    name: '?latency=low asks for the playout-delay extension, when it was offered',
    needs: 'script',
    run: async (client) => {
      const uri = 'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay';
      assert.ok(WATCH.includes(uri), 'the offer has the extension');
      assert.ok((await client.watch('/whep/live?latency=low')).reply.text.includes(uri));
      assert.not((await client.watch('/whep/live')).reply.text.includes(uri));
    },
  },
  {
    name: 'the answer fits the profile that the stream really has; the nearest superset comes with a warning',
    needs: 'script',
    run: async (client) => {
      const warnings = async () => (await client.stats()).streams.live?.warnings.length;
      for (const [profile, answered, warned] of [
        ['4d0028', 'profile-level-id=4d001f', 0],
        ['64001f', 'profile-level-id=f4001f', 1],
      ] as const) {
        plays(client, profile);
        assert.match((await client.watch()).reply.text, answered);
        assert.is(await warnings(), warned, profile);
      }
    },
  },
  ...(['classic', 'draft'] as const).flatMap((conformance): Row[] => [
    {
      name: `11: ${conformance}: a viewer that offers baseline alone gets Main and High as well, with a warning and a count`,
      needs: 'script',
      options: { conformance },
      run: async (client) => {
        plays(client, '640028');
        const { reply } = await client.watch('/whep/live', { body: BASELINE });
        assert.match(reply.text, 'profile-level-id=42e01f');
        assert.is(await client.metric('whep_profile_mismatches_total{stream="live"}'), 1);
        const [warning = ''] = (await client.stats()).streams.live?.warnings ?? [];
        assert.match(warning, /H264 High\b.*Constrained Baseline/);
        plays(client, '42c01f');
        await client.watch('/whep/live', { body: BASELINE });
        assert.is(await client.metric('whep_profile_mismatches_total{stream="live"}'), 1);
      },
    },
    {
      name: `11: ${conformance}: strict profiles: H264 that does not decode the stream is refused, and both are told why`,
      needs: 'script',
      options: { conformance, strictProfiles: true },
      run: async (client) => {
        plays(client, '640028');
        const reply = await client.send('POST', '/whep/live', { headers: SDP, body: BASELINE });
        if (conformance === 'classic') assert.is(reply.status, 406);
        else assert.match(reply.text, /^m=video 0 /m);
        if (conformance === 'classic')
          assert.match(reply.text, /^webrtc: codec mismatch -- (?!offer is missing).*H264 High\b/);
        assert.is(await client.metric('whep_profile_mismatches_total{stream="live"}'), 0);
        const [warning = ''] = (await client.stats()).streams.live?.warnings ?? [];
        assert.match(warning, 'the stream is H264 High, a viewer offers Constrained Baseline');
        assert.match(warning, '-profile:v baseline');
      },
    },
  ]),
  {
    name: '11: a refusal for a line that was offered says what is the matter with it, and counts like any other',
    run: async (client) => {
      const opus = await client.metric('whep_codec_mismatches_total{stream="live",kind="opus"}');
      for (const [body, reason] of [
        [edit(WATCH, 'a=group'), /outside the BUNDLE group/],
        [WATCH.replace(/a=recvonly(?!.*a=recvonly)/s, 'a=inactive'), /is inactive/],
      ] as const) {
        const reply = await client.send('POST', '/whep/live', { headers: SDP, body });
        assert.is(reply.status, 406, reply.text);
        assert.match(reply.text, reason);
        assert.not.match(reply.text, 'offer is missing');
      }
      assert.is(await client.metric('whep_codec_mismatches_total{stream="live",kind="opus"}'), opus + 2);
    },
  },
];

const BASELINE = WATCH.replaceAll(/profile-level-id=\w+/g, 'profile-level-id=42e01f');

function plays(client: Client, profileLevelId: string): void {
  const entry = client.engine.streams.get('live');
  if (entry === undefined || LIVE.video === undefined) throw new Error('there is no stream');
  entry.facts = { ...LIVE, video: { ...LIVE.video, parameters: { 'profile-level-id': profileLevelId } } };
}

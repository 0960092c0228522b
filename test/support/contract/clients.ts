import * as assert from 'uvu/assert';
import { offers } from '../offers.ts';
import { FRAGMENT, SDP, WATCH } from './client.ts';
import type { Row } from './row.ts';
import { fragment } from './session.ts';

const TURN = {
  token: 'secret-token',
  iceServers: [
    { urls: 'stun:stun.test:3478' },
    {
      urls: ['turn:turn.test:3478?transport=udp', 'turn:turn.test:3478'],
      username: 'user',
      credential: 'pass-of-turn',
    },
  ],
};
const CANDIDATES = Array.from(
  { length: 8 },
  (_, at) => `candidate:${at} 1 UDP 2122252543 192.0.2.7 ${9000 + at} typ host`,
);

/** What deployed clients do and need, exchange by exchange. */
export const clients: Row[] = [
  ...offers.map(
    ({ name, role, sdp }): Row => ({
      name: `the offer of ${name} is answered`,
      ...(role === 'publish' && { needs: 'publish' as const }),
      run: async (client) => {
        const path = role === 'publish' ? '/whip/pub' : '/whep/live';
        const reply = await client.send('POST', path, { headers: SDP, body: sdp });
        assert.is(reply.status, 201, reply.text);
      },
    }),
  ),
  {
    name: 'MediaMTX reader.js: OPTIONS first, links as its expression wants them, PATCHes side by side with If-Match: *',
    options: TURN,
    run: async (client) => {
      const headers = { Authorization: 'Bearer secret-token' };
      const links = (await client.send('OPTIONS', '/whep/live', { headers })).headers.get('link')?.split(', ') ?? [];
      const form = /^<(.+?)>; rel="ice-server"(; username="(.*?)"; credential="(.*?)"; credential-type="password")?$/i;
      const read = links.map((link) => form.exec(link));
      assert.equal(
        read.map((match) => [match?.[1], match?.[3], match?.[4]]),
        [
          ['stun:stun.test:3478', undefined, undefined],
          ['turn:turn.test:3478?transport=udp', 'user', 'pass-of-turn'],
          ['turn:turn.test:3478', 'user', 'pass-of-turn'],
        ],
      );
      const { location } = await client.watch('/whep/live', { headers });
      const replies = await Promise.all(
        CANDIDATES.map((candidate) =>
          client.send('PATCH', location, { headers: { ...FRAGMENT, 'If-Match': '*' }, body: fragment(candidate) }),
        ),
      );
      assert.ok(replies.every(({ status }) => status === 204));
    },
  },
  {
    name: 'OBS: links cut at commas and semicolons, a Location it can join, DELETE of what it published is 200',
    options: TURN,
    needs: 'publish',
    run: async (client) => {
      const [obs] = offers.filter(({ name }) => name === 'obs-publish');
      const reply = await client.send('POST', '/whip/pub', { headers: SDP, body: obs?.sdp ?? '' });
      assert.is(reply.status, 201, reply.text);
      assert.match(reply.text, 'v=0');
      for (const value of reply.headers.get('link')?.split(',') ?? []) {
        const [uri, ...parameters] = value.split(';').map((part) => part.trim());
        assert.match(uri ?? '', /^<(stun|turn):[^>]+>$/);
        for (const parameter of parameters) assert.match(parameter, /^[a-z-]+="[^"]*"$/);
      }
      const location = reply.headers.get('location') ?? '';
      assert.match(location, /^\/[^?]*$/);
      assert.is((await client.send('DELETE', location)).status, 200);
    },
  },
  {
    name: 'FFmpeg: an answer of at most 8192 bytes with its length, whose first candidate is a UDP host on IPv4',
    needs: 'publish',
    run: async (client) => {
      const [ffmpeg] = offers.filter(({ name }) => name === 'ffmpeg-publish');
      const headers = { ...SDP, 'Cache-Control': 'no-cache' };
      const reply = await client.send('POST', '/whip/pub', { headers, body: ffmpeg?.sdp ?? '' });
      assert.is(reply.status, 201, reply.text);
      assert.ok(reply.text.startsWith('v=') && reply.text.length <= 8192);
      assert.is(reply.headers.get('content-length'), String(reply.text.length));
      const [first = ''] = reply.text.match(/^a=candidate:.*/m) ?? [];
      assert.match(first, /^a=candidate:\S+ 1 udp \d+ \d+\.\d+\.\d+\.\d+ \d+ typ host/i);
    },
  },
  {
    name: 'whip-whep: no If-Match, credentials before the first line of the offer alone',
    run: async (client) => {
      const { location } = await client.watch();
      const body = fragment(...CANDIDATES).replace('m=audio 9 UDP/TLS/RTP/SAVPF 0', 'm=video 9 UDP/TLS/RTP/SAVPF 0');
      assert.is((await client.send('PATCH', location, { headers: FRAGMENT, body })).status, 204);
    },
  },
  {
    name: 'simple-whep-client: the plain type, lines for no codec, its tag in every request, DELETE included',
    run: async (client) => {
      const { location, tag, reply } = await client.watch();
      assert.is(reply.headers.get('content-type'), 'application/sdp');
      const body = fragment(...CANDIDATES).replace('UDP/TLS/RTP/SAVPF', 'RTP/AVP');
      const headers = { ...FRAGMENT, 'If-Match': tag };
      assert.is((await client.send('PATCH', location, { headers, body })).status, 204);
      const end = await client.send('PATCH', location, { headers, body: 'a=end-of-candidates\r\n' });
      assert.is(end.status, 204);
      assert.is((await client.send('DELETE', location, { headers: { 'If-Match': tag } })).status, 204);
    },
  },
  {
    name: 'Eyevinn: keys without a scheme do no harm where no token is asked for, an offer of the server is not to be had',
    run: async (client) => {
      for (const key of ['raw-key', 'Bearer undefined']) {
        const { location } = await client.watch('/whep/live', { headers: { Authorization: key } });
        const headers = { ...FRAGMENT, Authorization: key, ETag: '"x"' };
        assert.is((await client.send('PATCH', location, { headers, body: fragment() })).status, 204);
        assert.is((await client.send('DELETE', location, { headers: { Authorization: key } })).status, 204);
      }
      assert.is((await client.send('POST', '/whep/live', { headers: SDP, body: '' })).status, 400);
    },
  },
  {
    name: 'a client whose lines have credentials of their own may trickle with those of any, but not mix them',
    run: async (client) => {
      const [ufrag, pwd] = ['abcd', 'abcdefghijklmnopqrstuvwx'];
      const [session = '', first = '', ...others] = WATCH.split(/^(?=m=)/m);
      const own = first.replace(/a=ice-ufrag:.*/, `a=ice-ufrag:${ufrag}`).replace(/a=ice-pwd:.*/, `a=ice-pwd:${pwd}`);
      const { location } = await client.watch('/whep/live', { body: session + own + others.join('') });
      const send = async (body: string) => (await client.send('PATCH', location, { headers: FRAGMENT, body })).status;
      const offered = fragment(CANDIDATES[0] ?? '');
      const [, theirs = ''] = /a=ice-pwd:(.*)/.exec(offered) ?? [];
      const firsts = offered
        .replace(/a=ice-ufrag:.*/, `a=ice-ufrag:${ufrag}`)
        .replace(/a=ice-pwd:.*/, `a=ice-pwd:${pwd}`);
      assert.equal([await send(offered), await send(firsts)], [204, 204]);
      assert.is(await send(firsts.replace(pwd, theirs)), 400);
    },
  },
];

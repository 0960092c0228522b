import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { iceServers, withStereo } from '../../src/player/sdp.ts';

const test = suite("the player's SDP and Link");

test('asks for stereo once, on the Opus line alone', () => {
  const offer = 'a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\na=fmtp:96 profile-id=0\r\n';
  const expected = 'a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;stereo=1\r\na=fmtp:96 profile-id=0\r\n';
  assert.is(withStereo(offer), expected);
  assert.is(withStereo(expected), expected);
  assert.is(withStereo('a=rtpmap:96 VP8/90000\r\n'), 'a=rtpmap:96 VP8/90000\r\n');
});

test('takes ICE servers from links, and leaves other links alone', () => {
  const link =
    '<stun:stun.example.net>; rel="ice-server", <https://example.net/events>; rel="events"; title="a, b; c", ' +
    '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="us\\"er"; credential="pass, word; x"; credential-type="password"';
  assert.equal(iceServers(link), [
    { urls: 'stun:stun.example.net' },
    { urls: 'turn:turn.example.net?transport=udp', username: 'us"er', credential: 'pass, word; x' },
  ]);
  assert.equal(iceServers(null), []);
  assert.equal(iceServers('garbage <<>>; rel='), []);
});

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Failure } from '../../src/errors.ts';
import { parameterSets } from '../../src/sdp/parameters.ts';
import { readSession } from '../../src/sdp/session.ts';
import { sessionOf, videoSession } from '../support/sessions.ts';

const test = suite('descriptions of what is sent by RTP');

const here = (line: number) => ({ name: '127.0.0.1', line });

/** What it is refused with. */
function refusal(text: string): string {
  try {
    readSession(text);
  } catch (error) {
    if (error instanceof Failure && error.code === 'invalid-options') return error.message;
    throw error;
  }
  return 'it was read';
}

test('what FFmpeg writes is read for each codec', () => {
  const video = { payloadType: 96, port: 5004 };
  const audio = { port: 5006, address: here(4) };
  const cases: [name: string, expected: object][] = [
    [
      'ffmpeg-h264-opus',
      {
        video: { codec: 'h264', ...video, parameters: { 'packetization-mode': '1' }, address: here(7) },
        audio: {
          ...{ codec: 'opus', payloadType: 97, port: 5006 },
          ...{ parameters: { 'sprop-stereo': '1' }, address: here(11) },
        },
      },
    ],
    ['ffmpeg-vp8', { video: { codec: 'vp8', ...video, address: here(4) } }],
    ['ffmpeg-vp9', { video: { codec: 'vp9', ...video, address: here(4) } }],
    ['ffmpeg-h265', { video: { codec: 'h265', ...video, address: here(4) } }],
    ['ffmpeg-opus', { audio: { codec: 'opus', payloadType: 97, ...audio } }],
    ['ffmpeg-pcmu', { audio: { codec: 'pcmu', payloadType: 0, ...audio } }],
    ['ffmpeg-pcma', { audio: { codec: 'pcma', payloadType: 8, ...audio } }],
    ['ffmpeg-g722', { audio: { codec: 'g722', payloadType: 9, ...audio } }],
  ];
  for (const [name, expected] of cases) assert.equal(readSession(sessionOf(name)), expected, name);
});

test('parameter sets come out whole, whatever stands between them', () => {
  const sets = (codec: 'h264' | 'h265', text: string) => {
    const { video } = readSession(text);
    return parameterSets(codec, new Map(Object.entries(video?.parameters ?? {})));
  };
  const types = (codec: 'h264' | 'h265', text: string) =>
    sets(codec, text).map(([header = 0]) => (codec === 'h264' ? header & 0x1f : (header >> 1) & 0x3f));
  assert.equal(types('h264', sessionOf('ffmpeg-h264-copied')), [7, 8]);
  assert.equal(types('h265', sessionOf('ffmpeg-h265-copied')), [32, 33, 34]);
  const bare = sessionOf('ffmpeg-h265-copied').replaceAll('; ', ';').replaceAll('==', '');
  assert.equal(sets('h265', bare), sets('h265', sessionOf('ffmpeg-h265-copied')));
  // Two of a kind, and a comma at the end.
  const two = videoSession('a=rtpmap:96 H265/90000', 'a=fmtp:96 sprop-pps=RAHBcrRiQA==,RAHB; sprop-vps=QAEM,');
  assert.equal(types('h265', two), [32, 34, 34]);
});

test('line ends, what FFmpeg says before it, and the numbers of lines', () => {
  const plain = readSession(sessionOf('ffmpeg-h264-opus'));
  assert.equal(readSession(sessionOf('ffmpeg-h264-opus').replaceAll('\r\n', '\n')), plain);
  const piped = readSession(`SDP:\n${sessionOf('ffmpeg-h264-opus')}\n`);
  assert.equal([piped.video?.port, piped.video?.address?.line], [5004, 8]);
  assert.match(refusal(`SDP:\r\n${videoSession('a=rtpmap:96 THEORA/90000')}`), /; line 7: "a=rtpmap:96 THEORA/);
  assert.equal(readSession(`\uFEFF${sessionOf('ffmpeg-vp8')}`), readSession(sessionOf('ffmpeg-vp8')));
});

test('what people write for GStreamer is read, without the lines of the session', () => {
  const text = [
    'm=video 5000 RTP/AVP 96',
    'c=IN IP4 239.1.2.3/127',
    'a=rtpmap:96 vp8/90000',
    'a=rtcp:5010 IN IP4 239.1.2.3',
    'a=framerate:30',
    'm=audio 5002 RTP/AVPF 100',
    'c=IN IP6 ::1',
    'a=rtpmap:100 MULTIOPUS/48000/6',
    'a=fmtp:100 channel_mapping=0,4,1,2,3,5;num_streams=4;Coupled_Streams=2',
    'a=rtcp-mux',
  ].join('\n');
  assert.equal(readSession(text), {
    video: { codec: 'vp8', payloadType: 96, port: 5000, rtcpPort: 5010, address: { name: '239.1.2.3', line: 2 } },
    audio: {
      ...{ codec: 'multiopus', payloadType: 100, channels: 6, port: 5002, rtcpPort: 5002 },
      parameters: { channel_mapping: '0,4,1,2,3,5', num_streams: '4', coupled_streams: '2' },
      address: { name: '::1', line: 7 },
    },
  });
});

test('what a camera tells besides is passed over', () => {
  const text = videoSession(
    ...['b=AS:5000', 'a=control:trackID=1', 'a=x-dimensions:1920,1080', 'a=recvonly', 'a=rtpmap:96 H265/90000'],
    ...['a=fmtp:96 profile-id=1;tx-mode=srst;sprop-max-don-diff=0;sprop-vps=QAEM', 'm=application 0 RTP/AVP 107'],
    ...['a=rtpmap:107 vnd.onvif.metadata/90000', 'm=audio 5006 RTP/AVP 0', 'a=rtpmap:0 PCMU/8000/1'],
  );
  const { video, audio } = readSession(text);
  assert.equal([video?.codec, audio?.codec, audio?.payloadType], ['h265', 'pcmu', 0]);
});

test('what cannot be received is refused, with its line', () => {
  const h265 = 'a=rtpmap:96 H265/90000';
  const first = (line: string) => videoSession().replace('m=video 5004 RTP/AVP 96', line);
  const cases: [text: string, expected: RegExp][] = [
    ['', /neither video nor audio/],
    ['v=0\nhello', /; line 2: "hello"$/],
    [first('m=video RTP/AVP 96'), /malformed m= line.*; line 5/],
    [first('m=video 0 RTP/AVP 96'), /port 0: .*ffmpeg:.*; line 5/],
    [first('m=video 70000 RTP/AVP 96'), /at most 65535; line 5/],
    [first('m=video 5004 RTP/SAVP 96'), /RTP\/SAVP .*; line 5/],
    [first('m=video 5004 RTP/AVP 96 97'), /several formats.*; line 5/],
    [first('m=video 5004 RTP/AVP 200'), /200 is no payload type; line 5/],
    [`${videoSession('a=rtpmap:96 VP8/90000')}\r\nm=video 5006 RTP/AVP 96`, /second line of video.*; line 7/],
    [videoSession(), /no a=rtpmap .* 96 is; line 5/],
    [first('m=video 5004 RTP/AVP 0'), /no a=rtpmap .*; line 5/],
    [videoSession('a=rtpmap:96 VP8/90000', 'a=rtpmap:96 VP9/90000'), /a second a=rtpmap:96; line 7/],
    [videoSession('a=rtpmap:96 MP4V-ES/90000'), /MP4V-ES .*H264, VP8, VP9, AV1, H265; line 6/],
    [videoSession('a=rtpmap:96 opus/48000/2'), /opus cannot be passed on.*; line 6/],
    [videoSession('a=rtpmap:96 VP8/48000'), /clock of VP8 is 90000; line 6/],
    [videoSession('a=rtpmap:96 H264/90000', 'a=fmtp:96 packetization-mode=2'), /packetization-mode 2.*; line 7/],
    [videoSession(h265, 'a=fmtp:96 sprop-max-don-diff=1'), /sprop-max-don-diff.*; line 7/],
    [videoSession(h265, 'a=fmtp:96 tx-mode=MRST'), /tx-mode.*; line 7/],
    [videoSession(h265, 'a=fmtp:96 sprop-sps=@@@'), /sprop-sps.* base64.*; line 7/],
    [videoSession(h265, `a=fmtp:96 sprop-pps=${'RAHB,'.repeat(65)}`), /more than 64 parameter sets; line 7/],
    [videoSession('a=rtpmap:96 VP8/90000', 'a=rtcp:none'), /a=rtcp begins with a port; line 7/],
    [videoSession('a=rtpmap:96 VP8/90000', 'c=IN IP4'), /malformed c= line.*; line 7/],
    ['m=audio 5006 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/44100/2', /MPEG4-GENERIC .*Opus, .*; line 2/],
    ['m=audio 5006 RTP/AVP 0\na=rtpmap:0 PCMU/16000', /clock of PCMU is 8000; line 2/],
    ['m=audio 5006 RTP/AVP 0\na=rtpmap:0 PCMU/8000/2', /PCMU has not 2 channels; line 2/],
    ['m=audio 5006 RTP/AVP 97\na=rtpmap:97 multiopus/48000', /multiopus has not .*; line 2/],
    ['x=1\n'.repeat(1001), /too many lines/],
  ];
  for (const [text, expected] of cases) assert.match(refusal(text), expected, text.slice(0, 200));
});

test.run();

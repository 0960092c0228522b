/** What an attack aims at. */
export interface Targets {
  /** A TCP port and a UDP port of this machine that nobody may reach, take or listen in on. */
  tcp: number;
  udp: number;
  /** A file that nobody may read, and one that nobody may make. */
  secret: string;
  made: string;
}

/** An address of the documentation (RFC 5737): public by its kind, and nowhere. */
const PUBLIC = 'https://203.0.113.7/live.ts';

/** Inputs and sources as who has the admin token, and wants more, would write them. */
export function adminAttacks({ tcp, udp, secret, made }: Targets): unknown[] {
  const inputs = [
    // graphs
    `lavfi:testsrc2=size=64x64:rate=2,metadata=mode=add:key=k:value=v,metadata=mode=print:file=${made}:direct=1`,
    `lavfi:color=c=white:s=64x64:r=2,drawtext=textfile=${secret}`,
    `lavfi:movie=${secret}`,
    `LAVFI:movie=${secret}`,
    // files
    ...[secret, `./${secret}`, `file:${secret}`, `FILE:${secret}`, `file://${secret}`, `/proc/self/environ`, 'C:\\x'],
    ...[`concat:${secret}|${secret}`, `concatf:${secret}`, `subfile,,start,0,end,0,,:${secret}`, `pipe:0`, 'fd:0', '-'],
    ...[`unix:${secret}`, `data:text/plain;base64,QQ==`, `async:${secret}`, `cache:${secret}`, `crypto:${secret}`],
    ...[
      `crypto+file://${secret}`,
      `hls+file://${secret}`,
      `hls+http://127.0.0.1:${tcp}/`,
      `md5:${made}`,
      `tee:${made}`,
    ],
    ...[`http:${secret}`, `http:/${secret}`, `http,listen,1://127.0.0.1:${tcp}/`],
    // other protocols
    ...['tcp', 'tls', 'ftp', 'sftp', 'gopher', 'mmst', 'rtmpt', 'rtmpe', 'ipfs'].map(
      (each) => `${each}://127.0.0.1:${tcp}/`,
    ),
    // listening
    ...[
      `udp://127.0.0.1:${udp}`,
      `udp://0.0.0.0:${udp}?reuse=1`,
      `udp://203.0.113.7:${udp}`,
      `UDP://@239.1.2.3:${udp}`,
    ],
    ...[`rtp://127.0.0.1:${udp}`, `rtp://203.0.113.7:${udp}`, `srt://0.0.0.0:${udp}?mode=listener`, `srt://:${udp}`],
    ...[`srt://203.0.113.7:${udp}?mode=listener`, `srt://203.0.113.7:9?mode=caller&mode=rendezvous`],
    ...[`rtmp://203.0.113.7:${tcp}/app/key?listen=1`, `rtmp://203.0.113.7:${tcp}/app/key listen=1`],
    // this machine and its networks
    ...['127.0.0.1', '127.1', '0x7f.1', '0177.1', '2130706433', '017700000001', '0', '0.0.0.0', 'localhost'].flatMap(
      (host) => [`http://${host}:${tcp}/`, `rtsp://${host}:${tcp}/live`],
    ),
    ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]'].map(
      (host) => `http://${host}:${tcp}/`,
    ),
    ...['10.0.0.1', '172.16.0.1', '192.168.0.1', '169.254.169.254', '[fe80::1]', '[fd00::1]'].map(
      (host) => `http://${host}/`,
    ),
    ...['https', 'rtsps', 'rtmp', 'rtmps', 'srt'].map((scheme) => `${scheme}://127.0.0.1:${tcp}/a/b`),
    // what one parser reads otherwise than another
    ...[
      `http://203.0.113.7\\@127.0.0.1:${tcp}/`,
      `http://203.0.113.7#@127.0.0.1:${tcp}/`,
      `http://127.0.0.1:${tcp}\t/`,
    ],
    ...[
      `http://203.0.113.7/ http://127.0.0.1:${tcp}/`,
      `http://a@203.0.113.7@127.0.0.1:${tcp}/`,
      `http://１２７.0.0.1:${tcp}/`,
    ],
    ...[
      `http://127。0。0。1:${tcp}/`,
      `http://%31%32%37.0.0.1:${tcp}/`,
      `http://203.0.113.7,127.0.0.1:${tcp}/`,
      'http:///',
      'http://',
    ],
    ...[`http://203.0.113.7\n127.0.0.1:${tcp}/`, `http://203.0.113.7:99999/`, `\nhttp://203.0.113.7/`],
  ];
  const args: [string, string][] = [
    ['-f', 'lavfi'],
    ['-f', 'concat'],
    ['-protocol_whitelist', 'file,http,tcp'],
    ['-listen', '1'],
    ['-timeout', '1'],
    ['-rtsp_flags', 'listen'],
    ['-rtsp_transport', 'udp'],
    ['-dump_attachment:t', made],
    ['-stats_period', '1'],
    ['-http_proxy', `http://127.0.0.1:${tcp}`],
    ['-headers', `X: 1\r\nY: 2`],
    ['-ca_file', secret],
    ['-cert_file', secret],
    ['-init_hw_device', 'vaapi=x:/dev/dri'],
    ['-user_agent', 'a\r\nb'],
  ];
  return [
    ...inputs.map((input) => ({ ffmpeg: { input } })),
    ...args.map((pair) => ({ ffmpeg: { input: PUBLIC, args: pair } })),
    { ffmpeg: { input: PUBLIC, videoFilter: `metadata=mode=print:file=${made}` } },
    { ffmpeg: { input: PUBLIC, videoFilter: 'scale=64:64' } },
    `ffmpeg:${secret}`,
    ...[`sdp:${secret}`, { sdp: secret }, { sdp: { file: secret } }],
    ...['127.0.0.1', 'localhost', '0x7f.1', '[::1]'].map((host) => `whep:http://${host}:${tcp}/whep/x`),
    { whep: { url: `http://127.0.0.1:${tcp}/whep/x`, followOrigins: true } },
    'whep:http://169.254.169.254/latest/meta-data',
  ];
}

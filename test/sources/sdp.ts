import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configure } from '../../src/cli/configuration.ts';
import { printed } from '../../src/cli/print.ts';
import { Reloader } from '../../src/cli/reload.ts';
import type { Ingress } from '../../src/engine/port.ts';
import { Failure } from '../../src/errors.ts';
import { parseOptions, parseSource } from '../../src/options.ts';
import { admit } from '../../src/sources/admit.ts';
import { createSource } from '../../src/sources/create.ts';
import { ADMIN_SOURCES, DEFAULT_ADMIN_SOURCES, type SourceInput, sourceSchema } from '../../src/sources/spec.ts';
import { validate } from '../../src/validate.ts';
import { ingressOf } from '../support/legs.ts';
import { sessionOf, videoSession } from '../support/sessions.ts';

const test = suite('sdp sources');
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-sdp-'));

test.after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function ingress(source: SourceInput): Promise<Ingress> {
  return ingressOf(createSource(parseSource(source, 'cam')));
}

async function refusal(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Failure && error.code === 'invalid-options') return error.message;
    throw error;
  }
  return 'nothing is wrong';
}

const fault = (source: unknown) => refusal(() => parseSource(source as SourceInput, 'cam'));

test('a file, its text, and the object of each mean the same', async () => {
  const text = sessionOf('ffmpeg-h264-opus');
  const path = file('cam.sdp', text);
  const expected = {
    ...{ kind: 'rtp', host: '127.0.0.1' },
    video: { port: 5004, codec: 'h264', payloadType: 96 },
    audio: { port: 5006, codec: 'opus', payloadType: 97 },
  };
  for (const source of [`sdp:${path}`, { sdp: path }, { sdp: { file: path } }, { sdp: text }, { sdp: { text } }]) {
    assert.equal(await ingress(source), expected, JSON.stringify(source));
  }
});

test('parameter sets, RTCP and channels reach the engine', async () => {
  const text = `${sessionOf('ffmpeg-h265-copied')}a=rtcp:5020\r\n`;
  const { video } = (await ingress({ sdp: text })) as Ingress & { kind: 'rtp' };
  assert.equal([video?.codec, video?.rtcpPort, video?.sets?.length], ['h265', 5020, 3]);
  const sound = 'm=audio 5006 RTP/AVP 97\na=rtpmap:97 multiopus/48000/6\n';
  const { audio } = (await ingress({ sdp: sound })) as Ingress & { kind: 'rtp' };
  assert.equal(audio, { port: 5006, codec: 'multiopus', payloadType: 97, channels: 6 });
});

test('the address is the one of the description where this machine has it, or a group', async () => {
  const at = (connection: string) => videoSession('a=rtpmap:96 VP8/90000', connection);
  const host = async (text: string, given?: string) => {
    const found = await ingress({ sdp: { text, ...(given && { host: given }) } });
    return found.kind === 'rtp' && found.host;
  };
  assert.is(await host(at('a=x')), '127.0.0.1');
  assert.is(await host(at('c=IN IP4 127.0.0.5')), '127.0.0.5');
  assert.is(await host(at('c=IN IP4 localhost')), '127.0.0.1');
  assert.is(await host(at('c=IN IP6 ::1')), '::1');
  assert.is(await host(at('c=IN IP4 239.1.2.3/32')), '239.1.2.3');
  assert.is(await host(at('c=IN IP6 ff15::1')), 'ff15::1');
  assert.is(await host(at('c=IN IP4 0.0.0.0'), '0.0.0.0'), '0.0.0.0');
  assert.is(await host(at('c=IN IP4 192.0.2.7'), '127.0.0.1'), '127.0.0.1');
  for (const elsewhere of ['0.0.0.0', '192.0.2.7', 'camera.example']) {
    const message = await fault({ sdp: at(`c=IN IP4 ${elsewhere}`) });
    assert.match(message, new RegExp(`^cam\\.sdp: ${elsewhere} is no address of this machine: .*"host".*; line 7$`));
  }
  const two = `${at('c=IN IP4 127.0.0.1')}\r\nm=audio 5006 RTP/AVP 0\r\nc=IN IP4 127.0.0.2`;
  assert.match(await fault({ sdp: two }), /video goes to 127\.0\.0\.1, audio to 127\.0\.0\.2: .*"host"/);
});

test('a fault names the place, the file and the line', async () => {
  const path = file('two.sdp', videoSession().replace('AVP 96', 'AVP 96 97'));
  assert.match(await fault({ sdp: { file: path } }), /^cam\.sdp: \S+two\.sdp: several formats: .*; line 5: "m=video/);
  assert.match(await fault({ sdp: join(folder, 'none.sdp') }), /^cam\.sdp: \S+none\.sdp: cannot be read \(ENOENT\)$/);
  assert.match(await fault({ sdp: folder }), /cannot be read \(EISDIR\)$/);
  assert.match(await fault({ sdp: file('long.sdp', 'x'.repeat(70_000)) }), /at most 65536 characters$/);
  assert.match(await fault({ sdp: {} }), /^cam\.sdp: needs either a file or a text$/);
  assert.match(await fault({ sdp: { file: 'a', text: 'b' } }), /^cam\.sdp: needs either a file or a text$/);
  assert.match(await fault({ sdp: { text: 'v=0', host: 'x' } }), /^cam\.sdp\.host: give an IP address/);
  const close = `${videoSession('a=rtpmap:96 VP8/90000')}\r\nm=audio 5005 RTP/AVP 0`;
  assert.match(await fault({ sdp: close }), /^cam\.sdp: keep the ports of video and audio/);
  assert.match(await fault('sdp:'), /^cam: write rtp:/);
});

test('a config that is printed holds what was read', () => {
  const path = file('shown.sdp', sessionOf('ffmpeg-h265-copied'));
  const { streams } = JSON.parse(printed(configure(['--stream', `cam=sdp:${path}`])));
  assert.equal([streams.cam.rtp.video.codec, streams.cam.rtp.video.payloadType], ['h265', 96]);
  assert.equal(parseOptions({ streams }).streams.cam, parseSource(`sdp:${path}`, 'cam'));
});

test('a reload sees that the file has changed, and keeps what runs when it has a fault', async () => {
  const path = file('changing.sdp', sessionOf('ffmpeg-vp8'));
  const config = file('c.json', JSON.stringify({ streams: { cam: `sdp:${path}`, other: 'push' } }));
  const read = () => configure(['--config', config]);
  const done: string[] = [];
  const running = {
    streams: {
      add: async (id: string) => {
        done.push(`add ${id}`);
        return { id, state: 'starting' as const, source: 'rtp' as const, ports: {}, viewers: 0 };
      },
      remove: async (id: string) => done.push(`remove ${id}`) > 0,
      get: (id: string) => ({ id, state: 'live' as const, source: 'rtp' as const, ports: {}, viewers: 0 }),
    },
    renewTokens: () => {},
    renewTls: async () => {},
  };
  const reloader = new Reloader(running, read(), read);
  await reloader.reload();
  assert.equal(done, []);
  file('changing.sdp', videoSession('a=rtpmap:96 THEORA/90000'));
  await reloader.reload();
  assert.equal(done, []);
  file('changing.sdp', sessionOf('ffmpeg-vp9'));
  await reloader.reload();
  assert.equal(done, ['remove cam', 'add cam']);
});

test('over HTTP a description is its text, and no file is read whatever is allowed', async () => {
  const come = (source: unknown, may: readonly (typeof ADMIN_SOURCES)[number][]) =>
    admit(validate(sourceSchema, source, 'source'), may);
  const path = file('secret.sdp', sessionOf('ffmpeg-vp8'));
  for (const source of [`sdp:${path}`, { sdp: path }, { sdp: { file: path } }, 'sdp:/nowhere']) {
    const message = await refusal(() => come(source, ADMIN_SOURCES));
    assert.match(message, /^source\.sdp\.file: no file of this machine is read/);
  }
  const text = sessionOf('ffmpeg-vp8');
  const letIn = await come({ sdp: { text } }, DEFAULT_ADMIN_SOURCES);
  assert.equal(letIn.ingress, await ingress({ sdp: text }));
  assert.match(await refusal(() => come({ sdp: { text } }, ['rtp'])), /add "sdp" to adminSources/);
  assert.match(await refusal(() => come({ sdp: 'v=0\n' }, DEFAULT_ADMIN_SOURCES)), /neither video nor audio/);
});

test.run();

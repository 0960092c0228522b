import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { configure, reset } from '@logtape/logtape';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Ingress, StreamPorts } from '../../src/engine/port.ts';
import { Failure } from '../../src/errors.ts';
import { ffmpegSource } from '../../src/sources/ffmpeg.ts';
import type { Source } from '../../src/sources/source.ts';
import { eventually } from '../support/eventually.ts';
import { withPrograms } from '../support/fake-programs.ts';
import { type Process, processes } from '../support/process.ts';

const test = suite('ffmpeg source');

const picture = 'lavfi:testsrc2=size=320x180:rate=30';
const withSound = `${picture}[out0];sine=frequency=1000[out1]`;
const found = `echo '{"streams":[{"codec_type":"video"}]}'`;

async function ingress(source: Source): Promise<Ingress> {
  return typeof source.ingress === 'function' ? source.ingress() : source.ingress;
}

async function refused(input: string): Promise<Failure> {
  try {
    await ingress(ffmpegSource({ input }));
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error(`${input} was accepted`);
}

/** UDP ports that count what arrives, in place of an engine. */
class Legs {
  readonly #sockets: Socket[] = [];
  readonly datagrams = { video: [] as Uint8Array[], audio: [] as Uint8Array[] };

  async open(): Promise<StreamPorts> {
    return { video: await this.#leg('video'), audio: await this.#leg('audio') };
  }

  async #leg(kind: 'video' | 'audio'): Promise<number> {
    const socket = createSocket('udp4');
    this.#sockets.push(socket);
    socket.on('message', (datagram) => this.datagrams[kind].push(datagram));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return socket.address().port;
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

function ffmpegsOn(ports: StreamPorts): Process[] {
  return processes().filter(
    ({ command }) => command[0] === 'ffmpeg' && command.some((each) => each.includes(`:${ports.video}?`)),
  );
}

/** Runs `source` on ports of its own and gives what reads them. */
async function running(source: Source, use: (legs: Legs, ports: StreamPorts) => Promise<void>): Promise<void> {
  const legs = new Legs();
  try {
    const ports = await legs.open();
    await ingress(source);
    await source.start('cam1', ports);
    await use(legs, ports);
  } finally {
    await source.stop();
    legs.close();
  }
}

function alive(pid: number): boolean {
  return processes().some((each) => each.pid === pid);
}

function firstLine(path: string): string | undefined {
  return existsSync(path) ? /^(.+)\n/.exec(readFileSync(path, 'utf8'))?.[1] : undefined;
}

test('opens the legs that the input has', async () => {
  assert.equal(await ingress(ffmpegSource({ input: picture })), { kind: 'rtp', host: '127.0.0.1', video: 0 });
  assert.equal(await ingress(ffmpegSource({ input: withSound })), {
    kind: 'rtp',
    host: '127.0.0.1',
    video: 0,
    audio: 0,
  });
  assert.equal(await ingress(ffmpegSource({ input: 'lavfi:sine' })), { kind: 'rtp', host: '127.0.0.1', audio: 0 });
});

test('an input that cannot be read is named, with the reason', async () => {
  const missing = await refused('/nowhere/film.mp4');
  assert.is(missing.code, 'invalid-options');
  assert.match(missing.message, /\/nowhere\/film\.mp4: .*No such file/);
  assert.is((await refused('lavfi:nosuchfilter')).code, 'invalid-options');
});

test('a URL that does not answer yet gets both legs', async () => {
  const source = ffmpegSource({ input: 'tcp://127.0.0.1:9' });
  assert.equal(await ingress(source), { kind: 'rtp', host: '127.0.0.1', video: 0, audio: 0 });
});

test('without FFmpeg the failure says what to install', async () => {
  await withPrograms(
    {},
    async () => {
      const failure = await refused('tcp://127.0.0.1:9');
      assert.is(failure.code, 'ffmpeg-missing');
      assert.match(failure.message, /^[^\n]*install[^\n]*$/);
    },
    { hideOthers: true },
  );
});

test('sends H264 and Opus in datagrams of at most 1200 bytes', async () => {
  await running(ffmpegSource({ input: withSound }), async ({ datagrams }) => {
    await eventually('media on both legs', () => datagrams.video.length > 60 && datagrams.audio.length > 30);
    for (const datagram of [...datagrams.video, ...datagrams.audio]) assert.ok(datagram.length <= 1200);
    const types = (leg: Uint8Array[]) => leg.map((each) => (each[12] ?? 0) & 0x1f);
    assert.ok(types(datagrams.video).includes(24) || types(datagrams.video).includes(7), 'parameter sets are in-band');
  });
});

test('plays a file over and over', async () => {
  await running(ffmpegSource({ input: 'src/sources/clip/clip.h264' }), async ({ datagrams }) => {
    await eventually('media', () => datagrams.video.length > 30);
    assert.is(datagrams.audio.length, 0);
  });
});

test('a killed FFmpeg is replaced', async () => {
  await running(ffmpegSource({ input: picture }), async ({ datagrams }, ports) => {
    await eventually('media', () => datagrams.video.length > 10);
    const [first] = ffmpegsOn(ports);
    if (first === undefined) throw new Error('no FFmpeg to kill');
    process.kill(first.pid, 'SIGKILL');
    await eventually('its end', () => !alive(first.pid));
    datagrams.video.length = 0;
    await eventually('media again', () => datagrams.video.length > 10, 3000);
  });
});

test('stop leaves no process', async () => {
  const legs = new Legs();
  const source = ffmpegSource({ input: picture });
  const ports = await legs.open();
  await ingress(source);
  await source.start('cam1', ports);
  await eventually('FFmpeg', () => ffmpegsOn(ports).length > 0);
  await source.stop();
  assert.equal(ffmpegsOn(ports), []);
  await source.stop();
  legs.close();
});

test('an FFmpeg that ignores SIGTERM is killed', async () => {
  // Recording its id comes last: from then on it is deaf.
  const deaf = `trap '' TERM; echo $$ >"$(dirname "$0")/pid"; while :; do sleep 0.1; done`;
  await withPrograms({ ffprobe: found, ffmpeg: deaf }, async (folder) => {
    const source = ffmpegSource({ input: 'x.mp4' });
    await ingress(source);
    await source.start('cam1', { video: 9 });
    const pid = Number(await eventually('the process', () => firstLine(join(folder, 'pid'))));
    assert.ok(alive(pid));
    await source.stop();
    assert.not(alive(pid));
  });
});

test('a crash loop goes on at a growing pace, says why, and hides secrets', async () => {
  const messages: string[] = [];
  await configure({
    sinks: { memory: ({ message }) => messages.push(message.join('')) },
    loggers: [
      { category: 'fetch-whep', sinks: ['memory'], lowestLevel: 'warning' },
      { category: ['logtape', 'meta'], lowestLevel: 'error', sinks: ['memory'] },
    ],
  });
  const crash = `echo start >>"$(dirname "$0")/starts"; echo "rtsp://me:pw1@cam/live?key=pw2: Connection refused" >&2; exit 3`;
  try {
    await withPrograms({ ffprobe: found, ffmpeg: crash }, async (folder) => {
      const source = ffmpegSource({ input: 'rtsp://me:pw1@cam/live?key=pw2' });
      assert.is(source.describe(), 'ffmpeg:rtsp://***@cam/live?***');
      await ingress(source);
      await source.start('cam1', { video: 9 });
      await eventually('three warnings', () => messages.length >= 3);
      await source.stop();
      const starts = readFileSync(join(folder, 'starts'), 'utf8').trim().split('\n').length;
      assert.ok(starts >= 3);
    });
  } finally {
    await reset();
  }
  const pauses = messages.map((message) => Number(/again in (\d+) ms/.exec(message)?.[1]));
  assert.ok((pauses[0] ?? 0) <= 250 && (pauses[2] ?? 0) >= 500, `pauses ${pauses}`);
  for (const message of messages) {
    assert.match(message, /cam1.*exit code 3/);
    assert.match(message, 'Connection refused');
    assert.not.match(message, /pw1|pw2/);
  }
});

test('noise without end on standard error keeps nothing but its tail', async () => {
  const noisy = `i=0; while [ $i -lt 20000 ]; do echo "noise $i" >&2; i=$((i + 1)); done; echo last words >&2; exit 1`;
  const messages: string[] = [];
  await configure({
    sinks: { memory: ({ message }) => messages.push(message.join('')) },
    loggers: [
      { category: 'fetch-whep', sinks: ['memory'], lowestLevel: 'warning' },
      { category: ['logtape', 'meta'], lowestLevel: 'error', sinks: ['memory'] },
    ],
  });
  try {
    await withPrograms({ ffprobe: found, ffmpeg: noisy }, async () => {
      const source = ffmpegSource({ input: 'x.mp4' });
      await ingress(source);
      await source.start('cam1', { video: 9 });
      const message = await eventually('the warning', () => messages[0]);
      await source.stop();
      assert.ok(message.length < 20_000);
      assert.match(message, 'last words');
    });
  } finally {
    await reset();
  }
});

test('the input reaches FFmpeg as one argument that no shell reads', async () => {
  const record =
    'for each in "$@"; do echo "$each"; done >"$(dirname "$0")/arguments.new"; mv "$(dirname "$0")/arguments.new" "$(dirname "$0")/arguments"; sleep 60';
  await withPrograms({ ffprobe: found, ffmpeg: record }, async (folder) => {
    const input = `a b'c"$(touch ${folder}/pwned);\`touch ${folder}/pwned\`.mp4`;
    const source = ffmpegSource({ input });
    await ingress(source);
    await source.start('cam1', { video: 9 });
    const path = join(folder, 'arguments');
    await eventually('the arguments', () => existsSync(path));
    await source.stop();
    const args = readFileSync(path, 'utf8').split('\n');
    assert.is(args[args.indexOf('-i') + 1], input);
    assert.not(existsSync(join(folder, 'pwned')));
  });
});

test.run();

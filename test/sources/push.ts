import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, Failure, type Server } from '../../src/index.ts';
import { clipFrames, nalUnits } from '../support/clip.ts';
import { Client } from '../support/contract/client.ts';
import { eventually } from '../support/eventually.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('pushed frames');
const { pictures, sounds } = clipFrames();

function refusal(push: () => boolean): Failure {
  try {
    push();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('the frame was taken');
}

async function native(run: (server: Server, client: Client) => Promise<void>): Promise<void> {
  const server = await createServer({ engine: 'native', mediaHost: '127.0.0.1', streams: { cam: 'push' } });
  // Nothing of the server keeps a process alive.
  const alive = setInterval(() => {}, 1000);
  try {
    await run(server, new Client(server));
  } finally {
    clearInterval(alive);
    await server.close();
  }
}

/** AVCC (ISO/IEC 14496-15 §5.3.2): each NAL unit after its length in four bytes. */
function lengthPrefixed(picture: Uint8Array): Uint8Array {
  const parts = nalUnits(picture).flatMap((unit) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, unit.length);
    return [...length, ...unit];
  });
  return Uint8Array.from(parts);
}

test('frames go to push streams and to no others', async () => {
  const engine = new FakeEngine();
  const streams = { frames: 'push', sound: { push: { legs: ['audio'] } }, live: 'clip' } as const;
  const server = await createServer({ engine, streams });
  const data = new Uint8Array([1, 2, 3]);
  assert.is(server.streams.push('frames', 'video', data, 40_000), true);
  assert.equal(engine.pushed, [{ stream: 'frames', leg: 'video', data, timestamp: 40_000 }]);
  assert.is(refusal(() => server.streams.push('live', 'video', data, 0)).code, 'bad-request');
  assert.is(refusal(() => server.streams.push('unknown', 'video', data, 0)).code, 'stream-not-found');
  assert.match(refusal(() => server.streams.push('sound', 'video', data, 0)).message, /has no video: name it/);
  assert.is(engine.pushed.length, 1);
  await server.close();
  assert.is(refusal(() => server.streams.push('frames', 'video', data, 0)).code, 'stream-not-found');
});

test('each leg has the codec that its source names, and frames of the size that it allows', async () => {
  const engine = new FakeEngine();
  const cases = {
    both: [{ push: {} }, { video: { codec: 'h264' }, audio: { codec: 'opus' } }],
    named: [{ push: { video: 'av1', audio: 'pcmu' } }, { video: { codec: 'av1' }, audio: { codec: 'pcmu' } }],
    alone: [{ push: { video: 'hevc' } }, { video: { codec: 'h265' } }],
    beside: [
      { push: { legs: ['video', 'audio'], video: 'vp9' } },
      { video: { codec: 'vp9' }, audio: { codec: 'opus' } },
    ],
    many: [{ push: { audio: { codec: 'multiopus', channels: 6 } } }, { audio: { codec: 'multiopus', channels: 6 } }],
  } as const;
  const server = await createServer({ engine });
  for (const [id, [source, legs]] of Object.entries(cases)) {
    await server.streams.add(id, source);
    assert.equal(engine.streams.get(id)?.spec.ingress, { kind: 'push', ...legs }, id);
  }
  const size = (id: string, bytes: number) => server.streams.push(id, 'audio', new Uint8Array(bytes), 0);
  assert.is(size('named', 8000), true);
  assert.match(refusal(() => size('named', 8001)).message, /8001 bytes: give at most 8000 for audio/);
  assert.match(refusal(() => size('many', 1183)).message, /give at most 1182 for audio/);
  assert.match(refusal(() => size('alone', 1)).message, /has no audio/);
  const wrong: [object, RegExp][] = [
    [{ video: 'theora' }, /x\.push\.video: give one of h264/],
    [{ audio: 'aac' }, /x\.push\.audio: give one of opus/],
    [{ audio: 'multiopus' }, /x\.push\.audio: multiopus has 3 to 8 channels/],
    [{ legs: ['audio'], video: 'vp8' }, /x\.push\.video: name the leg in legs/],
  ];
  for (const [push, expected] of wrong) {
    const failure = await server.streams.add('x', { push }).catch((error: unknown) => error);
    assert.match(failure instanceof Failure ? failure.message : '', expected);
  }
  await server.close();
});

test('what is no frame is refused in words, and never reaches the engine', async () => {
  const engine = new FakeEngine();
  const server = await createServer({ engine, streams: { cam: 'push' } });
  const data = new Uint8Array([1, 2, 3]);
  // As a program in JavaScript would.
  const push = (...args: unknown[]): boolean => Reflect.apply(server.streams.push, server.streams, args);
  const cases: [unknown[], RegExp][] = [
    [['text', data, 0], /the leg "text": give "video" or "audio"/],
    [['video', [1, 2, 3], 0], /the data: give a Uint8Array/],
    [['video', 'AAAA', 0], /the data: give a Uint8Array/],
    [['video', undefined, 0], /the data: give a Uint8Array/],
    [['video', new Uint8Array(new SharedArrayBuffer(8)), 0], /shared memory/],
    [['video', new Uint8Array(), 0], /empty/],
    [['video', new Uint8Array((4 << 20) + 1), 0], /4194305 bytes: give at most 4194304 for video/],
    [['audio', new Uint8Array(1183), 0], /1183 bytes: give at most 1182 for audio/],
    [['video', data, Number.NaN], /timestamp NaN: give microseconds/],
    [['video', data, Number.POSITIVE_INFINITY], /timestamp Infinity/],
    [['video', data, -1], /timestamp -1/],
    [['video', data, '5'], /timestamp 5/],
    [['video', data], /timestamp undefined/],
  ];
  for (const [args, expected] of cases) {
    const failure = refusal(() => push('cam', ...args));
    assert.is(failure.code, 'bad-request');
    assert.match(failure.message, expected);
  }
  assert.equal(engine.pushed, []);
  await server.close();
});

test('Annex B and AVCC make the same live stream', async () => {
  for (const write of [(picture: Uint8Array) => picture, lengthPrefixed]) {
    await native(async (server, client) => {
      assert.is((await client.stats()).streams.cam?.state, 'starting');
      for (let index = 0; index < 70; index++) {
        const picture = write(pictures[index] ?? new Uint8Array());
        await eventually('room', () => server.streams.push('cam', 'video', picture, (index * 1e6) / 30));
        server.streams.push('cam', 'audio', sounds[index] ?? new Uint8Array(), index * 20_000);
      }
      const { cam } = await eventually('70 frames of each', async () => {
        const { streams } = await client.stats();
        return streams.cam?.packets.in === 140 && streams;
      });
      assert.equal([cam?.state, cam?.video?.width, cam?.video?.gop_frames], ['live', 640, 60]);
      assert.equal([cam?.audio?.channels, cam?.dropped, cam?.warnings], [2, {}, []]);
      await client.watch('/whep/cam');
      await client.leave();
    });
  }
});

test('what is no H264 is counted and explained, and nobody is let in to watch it', async () => {
  await native(async (server, client) => {
    const wrong = lengthPrefixed(pictures[0] ?? new Uint8Array());
    wrong[3] = 0;
    assert.is(server.streams.push('cam', 'video', wrong, 0), true);
    const { cam } = await eventually('the warning', async () => {
      const { streams } = await client.stats();
      return streams.cam?.warnings.length === 1 && streams;
    });
    assert.equal(cam?.dropped, { malformed: 1 });
    assert.match(cam?.warnings[0] ?? '', /neither Annex B nor AVCC/);
    const reply = await client.send('POST', '/whep/cam');
    assert.equal([reply.status, Number(reply.headers.get('retry-after')) > 0], [409, true]);
  });
});

test('an engine that is behind refuses frames, and takes them again when it has caught up', async () => {
  await native(async (server) => {
    // Start codes all over: nothing takes the engine longer to look through.
    const heavy = new Uint8Array(4 << 20);
    for (let at = 0; at + 4 < heavy.length; at += 5) heavy.set([0, 0, 1, 0x41, 0x9a], at);
    let taken = 0;
    while (taken < 1000 && server.streams.push('cam', 'video', heavy, taken)) taken++;
    assert.ok(taken < 1000, 'nothing was refused');
    await eventually('room again', () => server.streams.push('cam', 'video', new Uint8Array([0, 0, 1, 9]), 0));
  });
});

test.run();

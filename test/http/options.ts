import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, Failure, type FailureCode, type ServerOptions, type Source } from '../../src/index.ts';
import { parseOptions } from '../../src/options.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('options and streams');

/** The lines of the failure that options end in; they may be of any type, as in a file. */
function faults(options: Record<string, unknown>): string[] {
  try {
    parseOptions(options);
  } catch (error) {
    if (error instanceof Failure && error.code === 'invalid-options') return error.message.split('\n');
    throw error;
  }
  return [];
}

async function codeOf(promise: Promise<unknown>): Promise<FailureCode | undefined> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Failure) return error.code;
    throw error;
  }
  return undefined;
}

test('the engine is told what to keep of a stream, and how much may leave at once', async () => {
  const told = async (options: ServerOptions) => {
    const engine = new FakeEngine();
    const server = await createServer({ engine, streams: { demo: 'clip' }, ...options });
    const spec = engine.streams.get('demo')?.spec;
    await server.close();
    return { cache: spec?.cache, burst: spec?.burst };
  };
  const kept = { bytes: 8 << 20, age: 10_000, instantStart: true };
  assert.equal(await told({}), { cache: kept, burst: 64_000 });
  const own: ServerOptions = { cacheBytes: 1_000, cacheSeconds: 2, instantStart: false, burstBytes: 'none' };
  const cache = { bytes: 1_000, age: 2_000, instantStart: false };
  assert.equal(await told(own), { cache, burst: Number.POSITIVE_INFINITY });
});

test('a wrong option is named by its path, with what to write instead', () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ basePath: 'live' }, 'options.basePath: give an absolute path such as /live'],
    [{ basePath: '/a b' }, 'options.basePath: give an absolute path'],
    [{ maxViewers: 0 }, 'options.maxViewers: give a whole number of at least 1'],
    [{ maxViewersPerStream: 1.5 }, 'options.maxViewersPerStream: give a whole number'],
    [{ burstBytes: 0 }, 'options.burstBytes: give a whole number of at least 1'],
    [{ mediaPort: 70_000 }, 'options.mediaPort: give a UDP port'],
    [{ conformance: 'strict' }, 'options.conformance: give classic or draft'],
    [{ engine: 'fast' }, 'options.engine: give auto, native or portable'],
    [{ token: 'with space' }, 'options.token: a secret is'],
    [{ token: '' }, 'options.token: a secret is'],
    [{ announce: ['host.test'] }, 'options.announce.0: give an IP address'],
    [{ allowedOrigins: ['page.test/x'] }, 'options.allowedOrigins.0: give an origin'],
    [{ allowedOrigins: ['https://[x'] }, 'options.allowedOrigins.0: give an origin'],
    [{ iceServers: [{ urls: 'http://x' }] }, 'options.iceServers.0.urls: give a URI such as stun:'],
    [{ iceServers: [{ urls: 'turn:x' }] }, 'options.iceServers.0: a TURN server needs'],
    [{ iceServers: [{ urls: 'stun:x>,<y' }] }, 'options.iceServers.0.urls: give a URI'],
    [{ iceServers: [{ urls: 'turn:x', username: 'a\r\nb', credential: 'c' }] }, 'options.iceServers.0.username: only'],
    [{ rateLimit: { perSecond: 0 } }, 'options.rateLimit.perSecond: give requests per second'],
    [{ graceSeconds: -1 }, 'options.graceSeconds: give a number of seconds'],
    [{ authorize: 'yes' }, 'options.authorize: give a function'],
    [{ maxViewer: 5 }, 'options.maxViewer: no such option'],
    [{ streams: { 'a b': 'clip' } }, 'options.streams.a b: a stream id is'],
    [{ streams: { '..': 'clip' } }, 'options.streams...: a stream id is'],
    [{ streams: { cam: 'rtp:x' } }, 'options.streams.cam: give a UDP port'],
    [{ streams: { cam: 'rtp:5004,5005' } }, 'options.streams.cam: keep the ports'],
    [{ streams: { cam: 'file.mp4' } }, 'options.streams.cam: write rtp:'],
    [{ streams: { cam: 7 } }, 'options.streams.cam: write rtp:'],
    [{ streams: { cam: { rtp: {} } } }, 'options.streams.cam.rtp: needs a video port'],
    [{ streams: { cam: { rtp: { video: 5004 }, clip: {} } } }, 'options.streams.cam: a source has exactly one'],
    [{ streams: { cam: { push: { legs: ['text'] } } } }, 'options.streams.cam.push.legs.0: a leg is'],
    [{ streams: { cam: { ffmpeg: { inptu: 'x' } } } }, 'options.streams.cam.ffmpeg.input: give a file'],
  ];
  for (const [options, expected] of cases) {
    const [line = 'nothing is wrong'] = faults(options);
    assert.ok(line.startsWith(expected), `${JSON.stringify(options)}: ${line}`);
  }
});

test('every fault is told at once', () => {
  const lines = faults({ basePath: 'x', maxViewers: -1, streams: { a: 'x', b: 'y' } });
  assert.equal(
    lines.map((line) => line.split(':')[0]),
    ['options.basePath', 'options.streams.a', 'options.streams.b', 'options.maxViewers'],
  );
});

test('the strings and the objects of sources mean the same', () => {
  const { streams } = parseOptions({
    streams: {
      a: 'rtp:5004,5006',
      b: { rtp: { video: 5004, audio: 5006 } },
      c: 'whip',
      d: { whip: {} },
      e: 'ffmpeg:x:y',
    },
  });
  assert.equal(streams.a, streams.b);
  assert.equal(streams.c, streams.d);
  assert.equal(streams.e, { ffmpeg: { input: 'x:y' } });
});

test('parsed options are frozen and full of defaults', () => {
  const given = { streams: { a: 'clip' } } satisfies ServerOptions;
  const settings = parseOptions(given);
  assert.ok([settings, settings.streams, settings.announce, settings.iceServers].every(Object.isFrozen));
  assert.equal([settings.maxViewers, settings.maxViewersPerStream, settings.basePath], [1000, 8, '']);
  assert.is(parseOptions({ maxViewersPerStream: 'none' }).maxViewersPerStream, Number.POSITIVE_INFINITY);
  assert.is(parseOptions({ conformance: 'draft' }).maxViewersPerStream, Number.POSITIVE_INFINITY);
  assert.is(parseOptions({ conformance: 'draft', maxViewersPerStream: 3 }).maxViewersPerStream, 3);
  assert.not(Object.isFrozen(given), 'the options of the caller are left alone');
});

test('a server that cannot start leaves nothing running', async () => {
  const engine = new FakeEngine();
  let stopped = 0;
  const source = (start: () => Promise<void>): Source => ({
    kind: 'ffmpeg',
    ingress: { kind: 'rtp', host: '127.0.0.1', video: { port: 0, codec: 'h264' } },
    start,
    stop: async () => {
      stopped++;
    },
    describe: () => 'a source',
  });
  const streams = {
    good: source(async () => {}),
    bad: source(async () => Promise.reject(new Failure('ffmpeg-missing', 'install ffmpeg'))),
  };
  assert.is(await codeOf(createServer({ engine, streams })), 'ffmpeg-missing');
  assert.equal([engine.closed, engine.streams.has('bad'), stopped], [true, false, 2]);
});

test('streams are added, looked at, listed and removed while the server runs', async () => {
  const engine = new FakeEngine();
  const server = await createServer({ engine });
  assert.equal([...server.streams], []);
  const { ports, ...added } = await server.streams.add('cam', 'rtp:0,0');
  assert.equal(added, { id: 'cam', state: 'starting', source: 'rtp', viewers: 0 });
  assert.ok(ports.video && ports.audio && ports.video !== ports.audio);
  assert.equal(server.streams.get('cam'), { ...added, ports });
  assert.equal(
    [...server.streams].map(({ id }) => id),
    ['cam'],
  );
  assert.is(await codeOf(server.streams.add('cam', 'clip')), 'stream-exists');
  assert.is(await codeOf(server.streams.add('a/b', 'clip')), 'invalid-options');
  assert.is(await codeOf(server.streams.add('x', 'nothing')), 'invalid-options');
  assert.is(await server.streams.remove('cam'), true);
  assert.is(await server.streams.remove('cam'), false);
  assert.equal([server.streams.get('cam'), engine.streams.size], [undefined, 0]);
  await server.streams.add('cam', 'push');
  await server.close();
});

test('of two additions of one id at once the second fails, and the first stands', async () => {
  const server = await createServer({ engine: new FakeEngine() });
  const [first, second] = [server.streams.add('cam', 'push'), codeOf(server.streams.add('cam', 'clip'))];
  assert.equal([(await first).source, await second], ['push', 'stream-exists']);
  await server.close();
});

test('an addition that fails leaves the id free', async () => {
  const engine = new FakeEngine();
  const server = await createServer({ engine });
  engine.script.addStream = async () => Promise.reject(new Failure('address-in-use', 'UDP port 5004 is taken'));
  assert.is(await codeOf(server.streams.add('cam', 'rtp:5004')), 'address-in-use');
  delete engine.script.addStream;
  assert.is((await server.streams.add('cam', 'rtp:0')).id, 'cam');
  await server.close();
});

test('the snapshot is what the statistics route answers, the metrics what the scrape gets', async () => {
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' }, processMetrics: false });
  const response = await server.fetch(new Request('http://x/webrtc/stats'));
  const { uptime_seconds: own, ...snapshot } = JSON.parse(JSON.stringify(server.snapshot()));
  const { uptime_seconds: answered, ...stats } = await response.json();
  assert.equal(snapshot, stats);
  assert.ok(own >= answered);
  assert.match(await server.metrics(), /^# HELP whep_viewers Viewers\.$/m);
  await server.close();
});

test.run();

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, type Server } from '../../src/index.ts';
import { Clock } from '../support/clock.ts';
import { PUBLISH, SDP, WATCH } from '../support/contract/client.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { MOODS, POINTS, Rough } from '../support/rough.ts';
import { rounds } from '../support/rounds.ts';

const test = suite('whatever overlaps');

const IDS = ['a', 'b'] as const;

/** A server on a fake engine, in time of its own, and every promise that it has given. */
class World {
  readonly clock: Clock;
  readonly rough: Rough;
  readonly engine: FakeEngine;
  readonly server: Server;
  readonly pending = new Set<string>();
  /** What became of `close()`, once it was called and has settled. */
  closing: 'no' | 'begun' | 'resolved' | 'rejected' = 'no';
  #given = 0;

  constructor(clock: Clock, rough: Rough, engine: FakeEngine, server: Server) {
    this.clock = clock;
    this.rough = rough;
    this.engine = engine;
    this.server = server;
  }

  /** Notes when it settles, however it does. */
  given(what: string, promise: Promise<unknown>): void {
    const name = `${++this.#given}: ${what}`;
    const settled = () => this.pending.delete(name);
    this.pending.add(name);
    promise.then(settled, settled);
  }

  post(path: string, body: string): void {
    const request = new Request(`http://overlap.test${path}`, { method: 'POST', headers: SDP, body });
    this.given(`POST ${path}`, this.server.fetch(request));
  }

  close(): void {
    this.closing = 'begun';
    const closed = this.server.close().then(
      () => {
        this.closing = 'resolved';
      },
      () => {
        this.closing = 'rejected';
      },
    );
    this.given('close', closed);
  }

  /** One of the sessions; undefined when there is none. */
  session(index: number): string | undefined {
    const all = [...this.server.sessions];
    return all[index % all.length]?.id;
  }

  get alive() {
    return this.rough.sources.filter((source) => source.alive);
  }

  /** What holds at any time. */
  check(): void {
    for (const id of IDS) {
      const alive = this.alive.filter((source) => source.id === id);
      assert.ok(alive.length <= 1, `${alive.length} sources of ${id} at once`);
    }
    for (const { stream } of this.server.sessions) {
      assert.ok(this.server.streams.get(stream), `a session of ${stream}, which is not there`);
    }
  }
}

type Step = fc.AsyncCommand<object, World>;

function step(name: string, run: (world: World) => void, milliseconds = 0): Step {
  return {
    check: () => true,
    run: async (_, world) => {
      run(world);
      await world.clock.advance(milliseconds);
      world.check();
    },
    toString: () => name,
  };
}

const id = fc.constantFrom(...IDS);
const index = fc.nat(5);
const leg = fc.constantFrom('video' as const, 'audio' as const);

const steps: fc.Arbitrary<Step>[] = [
  fc
    .tuple(id, fc.boolean())
    .map(([stream, looks]) =>
      step(`add ${stream}${looks ? ', looking first' : ''}`, (world) =>
        world.given(`add ${stream}`, world.server.streams.add(stream, world.rough.source(stream, looks))),
      ),
    ),
  id.map((stream) =>
    step(`remove ${stream}`, (world) => world.given(`remove ${stream}`, world.server.streams.remove(stream))),
  ),
  id.map((stream) =>
    step(`fail ${stream}`, ({ engine }) => engine.emit({ type: 'stream-failed', stream, text: 'broken' })),
  ),
  fc.tuple(id, leg, fc.boolean()).map(([stream, kind, active]) =>
    step(`${stream}: ${kind} ${active ? 'begins' : 'falls silent'}`, ({ engine }) => {
      if (engine.streams.has(stream)) engine.leg(stream, kind, active);
    }),
  ),
  id.map((stream) => step(`publish ${stream}`, (world) => world.post(`/whip/${stream}`, PUBLISH))),
  id.map((stream) => step(`watch ${stream}`, (world) => world.post(`/whep/${stream}`, WATCH))),
  index.map((at) =>
    step(`connect ${at}`, (world) => {
      const session = world.session(at);
      if (session !== undefined) world.engine.emit({ type: 'session-connected', session });
    }),
  ),
  index.map((at) =>
    step(`lose ${at}`, (world) => {
      const session = world.session(at);
      if (session !== undefined) world.engine.emit({ type: 'session-ended', session, reason: 'consent-lost' });
    }),
  ),
  index.map((at) =>
    step(`end ${at}`, (world) => {
      const session = world.session(at);
      if (session !== undefined) world.given(`end ${at}`, world.server.sessions.remove(session));
    }),
  ),
  fc
    .tuple(fc.constantFrom(...POINTS), fc.constantFrom(...MOODS))
    .map(([point, mood]) => step(`the next ${point} ${mood}`, ({ rough }) => rough.next(point, mood))),
  fc.constantFrom(1_000, 4_000, 11_000).map((time) => step(`${time} ms pass`, () => {}, time)),
  fc.constant(step('recover', ({ rough }) => rough.recover())),
];
const close = fc.constant(step('close', (world) => world.close()));

/** Runs the steps on a world of their own, then what holds of any. */
function inAnyOrder(arbitraries: fc.Arbitrary<Step>[], end: (world: World) => Promise<void>): () => Promise<void> {
  const commands = fc.commands(arbitraries, { maxCommands: 40, size: 'max' });
  return () =>
    fc.assert(
      fc.asyncProperty(commands, async (sequence) => {
        const clock = new Clock();
        try {
          const rough = new Rough();
          const engine = new FakeEngine(rough.script);
          const server = await createServer({ engine, processMetrics: false });
          const world = new World(clock, rough, engine, server);
          await fc.asyncModelRun(() => ({ model: {}, real: world }), sequence);
          await end(world);
        } finally {
          clock.restore();
        }
      }),
      { numRuns: rounds(400) },
    );
}

/** Longer than anything waits for anything. Milliseconds. */
const LONG = 60_000;

/** Asks for the end of every stream, and waits for longer than that takes. */
async function removeAll(world: World): Promise<void> {
  for (const stream of IDS) world.given(`remove ${stream}`, world.server.streams.remove(stream));
  await world.clock.advance(LONG);
}

test(
  'however streams and sessions come and go, every promise settles and nothing is left without an owner',
  inAnyOrder(steps, async (world) => {
    const { clock, engine, rough, server } = world;
    await removeAll(world);
    assert.equal([...world.pending], [], 'whatever hangs');
    rough.recover();
    await clock.advance(LONG);
    await removeAll(world);
    assert.equal([world.alive, [...engine.streams.keys()], [...server.sessions]], [[], [], []]);
    assert.ok(engine.peers.size <= rough.refusals('removeSession'), 'what the engine would not end');
    for (const stream of IDS) await server.streams.add(stream, rough.source(stream, false));
    world.close();
    await clock.advance(LONG);
    assert.equal([world.closing, engine.closed, world.alive], ['resolved', true, []]);
  }),
);

test(
  'close() ends whatever is under way',
  inAnyOrder([...steps, close], async (world) => {
    const { clock, engine, rough, server } = world;
    if (world.closing === 'no') world.close();
    await clock.advance(LONG);
    assert.equal([[...world.pending], engine.closed, [...server.sessions]], [[], true, []]);
    rough.recover();
    await clock.advance(LONG);
    assert.ok(world.alive.length <= rough.refusals('stop'), 'sources that would not stop');
    assert.ok(engine.streams.size <= rough.refusals('removeStream') + rough.refusals('stop'));
    if (world.alive.length > 0) assert.is(world.closing, 'rejected', 'whoever closes is told');
  }),
);

test.run();

import type { Ingress } from '../../src/engine/port.ts';
import type { Source } from '../../src/sources/source.ts';
import type { Script } from './fake-engine.ts';

/** Where something can go wrong. */
export const POINTS = [
  ...(['ingress', 'pullWith', 'start', 'stop'] as const),
  ...(['addStream', 'removeStream', 'addPeer', 'removeSession'] as const),
];
export type Point = (typeof POINTS)[number];

export const MOODS = ['rejects', 'is slow', 'hangs'] as const;
export type Mood = (typeof MOODS)[number];

/** Sources, and a script for an engine, whose next step at a point goes as it is told to. */
export class Rough {
  readonly sources: RoughSource[] = [];
  readonly #moods = new Map<Point, Mood>();
  readonly #refusals = new Map<Point, number>();
  #hanging: (() => void)[] = [];

  /** What the next step at `point` does, once. */
  next(point: Point, mood: Mood): void {
    this.#moods.set(point, mood);
  }

  /** How often a step there was refused. */
  refusals(point: Point): number {
    return this.#refusals.get(point) ?? 0;
  }

  /** Whatever hangs goes on, and nothing goes wrong any more. */
  recover(): void {
    this.#moods.clear();
    for (const go of this.#hanging.splice(0)) go();
  }

  get script(): Script {
    return {
      addStream: () => this.step('addStream'),
      removeStream: () => this.step('removeStream'),
      addPeer: () => this.step('addPeer'),
      removeSession: () => this.step('removeSession'),
    };
  }

  /** One that looks at its input first, or one for publishers that take over. */
  source(id: string, looks: boolean): Source {
    const source = new RoughSource(id, looks, this);
    this.sources.push(source);
    return source;
  }

  async step(point: Point): Promise<void> {
    const mood = this.#moodAt(point);
    if (mood === 'rejects') throw this.#refusal(point);
    if (mood === 'is slow') await new Promise((resolve) => setTimeout(resolve, 3_000));
    if (mood === 'hangs') {
      await new Promise<void>((resolve) => {
        this.#hanging.push(resolve);
      });
    }
  }

  /** A step that is no promise: it can only be refused. */
  stepAtOnce(point: Point): void {
    if (this.#moodAt(point) !== undefined) throw this.#refusal(point);
  }

  #moodAt(point: Point): Mood | undefined {
    const mood = this.#moods.get(point);
    this.#moods.delete(point);
    return mood;
  }

  #refusal(point: Point): Error {
    this.#refusals.set(point, this.refusals(point) + 1);
    return new Error(`${point} goes wrong`);
  }
}

class RoughSource implements Source {
  readonly kind = 'whip';
  readonly takeover = true;
  readonly id: string;
  readonly ingress: Source['ingress'];
  readonly #rough: Rough;
  /** Something of it is there: it has begun, and was not stopped after that. */
  alive = false;

  constructor(id: string, looks: boolean, rough: Rough) {
    this.id = id;
    this.#rough = rough;
    const look = async (): Promise<Ingress> => {
      await rough.step('ingress');
      const [video, audio] = [{ port: 0, codec: 'h264' } as const, { port: 0, codec: 'opus' } as const];
      return { kind: 'rtp', host: '127.0.0.1', video, audio };
    };
    this.ingress = looks ? look : { kind: 'publisher', legs: ['video', 'audio'] };
  }

  pullWith(): void {
    this.#rough.stepAtOnce('pullWith');
  }

  async start(): Promise<void> {
    this.alive = true;
    await this.#rough.step('start');
    // One that was stopped too early is there all the same.
    this.alive = true;
  }

  async stop(): Promise<void> {
    await this.#rough.step('stop');
    this.alive = false;
  }

  describe(): string {
    return 'rough';
  }
}

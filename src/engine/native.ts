import { setInterval } from 'node:timers';
import { Failure, type FailureCode } from '../errors.ts';
import { Turns } from '../turns.ts';
import { loadAddon } from './addon.ts';
import type {
  AnsweredLeg,
  EngineEvent,
  EngineSnapshot,
  Ingress,
  LegKind,
  LegSpec,
  MediaEngine,
  PublisherSpec,
  PullSpec,
  RtpLeg,
  SessionTotals,
  StreamFacts,
  StreamPorts,
  StreamSpec,
  Transport,
  ViewerSnapshot,
  ViewerSpec,
} from './port.ts';

export interface NativeEngineOptions {
  /** Absent: every interface. */
  mediaHost: string | undefined;
  /** First UDP port; 0: the system chooses. */
  mediaPort: number;
  shards: number;
}

/** What the module exports (native/addon/src/lib.rs). Errors are `code: text`. */
interface Addon {
  startEngine(options: { mediaHost?: string; mediaPort: number; shards: number }): Promise<NativeHandle>;
}

interface NativeHandle {
  addStream(spec: Omit<StreamSpec, 'ingress'> & { ingress: NativeIngress }): Promise<StreamPorts>;
  removeStream(id: string): Promise<void>;
  facts(stream: string): StreamFacts | null;
  push(stream: string, leg: LegKind, data: Uint8Array, timestamp: number): boolean;
  addViewer(spec: ViewerSpec): Promise<string>;
  addPublisher(spec: PublisherSpec): Promise<string>;
  offerPull(spec: PullSpec): Promise<string>;
  acceptAnswer(session: string, answer: string, legs: AnsweredLeg[]): Promise<void>;
  addCandidate(session: string, mid: string, candidate: string): Promise<boolean>;
  removeSession(session: string): Promise<SessionTotals | null>;
  snapshot(): EngineSnapshot;
  viewers(): ViewerSnapshot[];
  drainEvents(): EngineEvent[];
  close(): Promise<void>;
}

interface NativeIngress {
  kind: Ingress['kind'];
  host?: string;
  /** With a port if `kind` is `rtp`. */
  video?: LegSpec & Partial<RtpLeg>;
  audio?: LegSpec & Partial<RtpLeg>;
  videoFile?: Uint8Array;
  audioFile?: Uint8Array;
  framesPerSecond?: number;
  legs?: LegKind[];
}

/** Milliseconds between two looks at the engine's events. */
const eventInterval = 50;

/** Loads the addon and starts its threads. Rejects with `engine-unavailable` or `address-in-use`. */
export async function createNativeEngine(options: NativeEngineOptions): Promise<MediaEngine> {
  const { mediaHost, mediaPort, shards } = options;
  const start = loadAddon<Addon>().startEngine({
    ...(mediaHost === undefined ? {} : { mediaHost }),
    mediaPort,
    shards,
  });
  const handle = await start.catch((error: unknown) => {
    throw failure(error, `choose another with --media-port`);
  });
  return new NativeEngine(handle);
}

class NativeEngine implements MediaEngine {
  readonly kind = 'native';
  readonly #handle: NativeHandle;
  readonly #candidates = new Turns();
  #listener: (events: EngineEvent[]) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(handle: NativeHandle) {
    this.#handle = handle;
  }

  async addStream(spec: StreamSpec): Promise<StreamPorts> {
    return this.#handle.addStream({ ...spec, ingress: nativeIngress(spec.ingress) }).catch((error: unknown) => {
      throw failure(error, 'choose another, or 0 to let the system choose');
    });
  }

  async removeStream(id: string): Promise<void> {
    await this.#handle.removeStream(id);
    // What still waits is about this stream, not about the next of its id.
    this.#drain();
  }

  facts(stream: string): StreamFacts | undefined {
    return this.#handle.facts(stream) ?? undefined;
  }

  push(stream: string, leg: LegKind, data: Uint8Array, timestamp: number): boolean {
    return this.#handle.push(stream, leg, data, timestamp);
  }

  async addViewer(spec: ViewerSpec): Promise<Transport> {
    const description = await this.#handle.addViewer(spec).catch((error: unknown) => {
      throw failure(error);
    });
    return { description };
  }

  async addPublisher(spec: PublisherSpec): Promise<Transport> {
    const description = await this.#handle.addPublisher(spec).catch((error: unknown) => {
      throw failure(error);
    });
    return { description };
  }

  async offerPull(spec: PullSpec): Promise<Transport> {
    const description = await this.#handle.offerPull(spec).catch((error: unknown) => {
      throw failure(error);
    });
    return { description };
  }

  async acceptAnswer(session: string, answer: string, legs: AnsweredLeg[]): Promise<void> {
    await this.#handle.acceptAnswer(session, answer, legs).catch((error: unknown) => {
      throw failure(error);
    });
  }

  /** In turn: the runtime's pool has several threads. */
  addCandidate(session: string, mid: string, candidate: string): Promise<boolean> {
    return this.#candidates.take(session, () => this.#handle.addCandidate(session, mid, candidate));
  }

  async removeSession(session: string): Promise<SessionTotals | undefined> {
    return (await this.#handle.removeSession(session)) ?? undefined;
  }

  snapshot(): EngineSnapshot {
    return this.#handle.snapshot();
  }

  viewers(): ViewerSnapshot[] {
    return this.#handle.viewers();
  }

  onEvents(listener: (events: EngineEvent[]) => void): void {
    clearInterval(this.#timer);
    this.#listener = listener;
    this.#timer = setInterval(() => this.#drain(), eventInterval);
    this.#timer.unref();
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closed ??= this.#handle.close();
    return this.#closed;
  }

  #drain(): void {
    const events = this.#handle.drainEvents();
    if (events.length > 0) this.#listener(events);
  }
}

/** Files of a clip have names of their own: elsewhere `video` and `audio` are legs. */
function nativeIngress(ingress: Ingress): NativeIngress {
  if (ingress.kind !== 'clip') return ingress;
  const { kind, video, audio, framesPerSecond } = ingress;
  return { kind, videoFile: video, audioFile: audio, framesPerSecond };
}

const codes: ReadonlySet<string> = new Set<FailureCode>([
  'address-in-use',
  'invalid-offer',
  'invalid-answer',
  'engine-timeout',
  'engine-failed',
  'stream-not-found',
  'stream-exists',
  'closing',
]);

function failure(error: unknown, cure?: string): Failure {
  const [, code = 'engine-failed', text = 'the engine failed'] =
    /^([a-z-]+): (.*)$/s.exec(error instanceof Error ? error.message : String(error)) ?? [];
  const known = codes.has(code) ? (code as FailureCode) : 'engine-failed';
  return new Failure(known, cure && known === 'address-in-use' ? `${text}: ${cure}` : text, { cause: error });
}

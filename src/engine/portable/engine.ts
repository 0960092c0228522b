import { clearInterval, setInterval } from 'node:timers';
import { Failure } from '../../errors.ts';
import type {
  EngineEvent,
  EngineSnapshot,
  LegKind,
  MediaEngine,
  SessionTotals,
  StreamFacts,
  StreamPorts,
  StreamSpec,
  Transport,
  ViewerSnapshot,
  ViewerSpec,
} from '../port.ts';
import { Histograms } from './histogram.ts';
import { type Input, legsOf, openIngress } from './ingress.ts';
import { type Library, loadLibrary } from './library.ts';
import { MuxPort } from './mux.ts';
import { Stream } from './stream.ts';
import { Viewer, type ViewerParts } from './viewer.ts';

export interface PortableEngineOptions {
  /** Absent: every interface. */
  mediaHost: string | undefined;
  /** UDP port of all viewers; 0: the system chooses. */
  mediaPort: number;
}

/** Milliseconds between two looks at the clock. */
const TURN = 20;
/** Events given at once. */
const MAX_EVENTS = 256;

/** What this engine does not do, for people. */
const LIMITS = [
  'no other codecs than H264 and Opus',
  'no WHIP publishers, no pull from another server',
  'media runs on the JavaScript thread: some tens of viewers',
  'a viewer waits for the next keyframe: no instant start',
  'no low latency on request, no capture times',
  'no Chromium behind TURN over TCP or TLS, no viewer whose NAT changes its port',
];

interface Entry {
  stream: Stream;
  input: Input | undefined;
}

/** Loads node-datachannel and opens its port. Rejects with `engine-unavailable` or `address-in-use`. */
export async function createPortableEngine({ mediaHost, mediaPort }: PortableEngineOptions): Promise<MediaEngine> {
  const library = await loadLibrary();
  const mux = await MuxPort.open(library, mediaHost, mediaPort).catch((error: unknown) => {
    if (!(error instanceof Failure) || error.code !== 'address-in-use') throw error;
    throw new Failure('address-in-use', `${error.message}: choose another with --media-port`, { cause: error });
  });
  return new PortableEngine(library, mux);
}

/** The port over node-datachannel: everything above ICE, DTLS and SRTP runs in this thread. */
class PortableEngine implements MediaEngine {
  readonly kind = 'portable';
  readonly #mux: MuxPort;
  readonly #histograms = new Histograms();
  readonly #parts: ViewerParts;
  readonly #streams = new Map<string, Entry>();
  readonly #viewers = new Map<string, Viewer>();
  /** Peers whose end is under way. */
  readonly #leaving = new Set<Promise<SessionTotals>>();
  #events: EngineEvent[] = [];
  #listener: ((events: EngineEvent[]) => void) | undefined;
  readonly #timer: NodeJS.Timeout;
  #closed: Promise<void> | undefined;

  constructor(library: Library, mux: MuxPort) {
    this.#mux = mux;
    this.#parts = {
      library,
      mux,
      histograms: this.#histograms,
      connected: (session) => this.#events.push({ type: 'session-connected', session }),
      ended: (session, reason) => this.#events.push({ type: 'session-ended', session, reason }),
    };
    this.#timer = setInterval(() => this.#turn(), TURN);
    this.#timer.unref();
  }

  async addStream({ id, ingress, silence }: StreamSpec): Promise<StreamPorts> {
    this.#requireOpen();
    if (this.#streams.has(id)) throw new Failure('stream-exists', 'the name is taken');
    const tell = (event: EngineEvent) => void this.#events.push(event);
    const stream = new Stream({ id, legs: legsOf(ingress), silence, histograms: this.#histograms, tell });
    const entry: Entry = { stream, input: undefined };
    this.#streams.set(id, entry);
    try {
      entry.input = await openIngress(ingress, stream);
    } catch (error) {
      this.#streams.delete(id);
      if (!(error instanceof Failure) || error.code !== 'address-in-use') throw error;
      const text = `${error.message}: choose another, or 0 to let the system choose`;
      throw new Failure('address-in-use', text, { cause: error });
    }
    if (this.#closed) {
      await entry.input.close();
      throw new Failure('closing', 'closing');
    }
    return entry.input.ports;
  }

  async removeStream(id: string): Promise<void> {
    const entry = this.#streams.get(id);
    this.#streams.delete(id);
    await entry?.input?.close();
  }

  facts(stream: string): StreamFacts | undefined {
    return this.#streams.get(stream)?.stream.facts(performance.now());
  }

  push(id: string, kind: LegKind, data: Uint8Array, timestamp: number): boolean {
    const stream = this.#streams.get(id)?.stream;
    const leg = stream?.leg(kind);
    if (stream === undefined || leg === undefined) return false;
    stream.push(leg, data, timestamp / 1000, performance.now());
    return true;
  }

  async addViewer(spec: ViewerSpec): Promise<Transport> {
    this.#requireOpen();
    const entry = this.#streams.get(spec.stream);
    if (entry === undefined) throw new Failure('stream-not-found', 'no such stream');
    if (this.#viewers.has(spec.id)) throw new Failure('engine-failed', 'the name is taken');
    const viewer = new Viewer(spec, entry.stream, this.#parts);
    this.#viewers.set(spec.id, viewer);
    try {
      const transport = await viewer.answer();
      if (this.#viewers.get(spec.id) !== viewer) throw new Failure('closing', 'closing');
      return transport;
    } catch (error) {
      await this.removeSession(spec.id);
      throw error;
    }
  }

  async addPublisher(): Promise<Transport> {
    throw new Failure('engine-unavailable', 'the portable engine takes no WHIP publishers');
  }

  async offerPull(): Promise<Transport> {
    throw new Failure('engine-unavailable', 'the portable engine pulls from no other server');
  }

  async acceptAnswer(): Promise<void> {
    throw new Failure('engine-unavailable', 'the portable engine pulls from no other server');
  }

  async addCandidate(session: string, mid: string, candidate: string): Promise<boolean> {
    return this.#viewers.get(session)?.addCandidate(mid, candidate) ?? false;
  }

  async removeSession(session: string): Promise<SessionTotals | undefined> {
    const viewer = this.#viewers.get(session);
    if (viewer === undefined) return undefined;
    this.#viewers.delete(session);
    const left = viewer.close().finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
    return left;
  }

  snapshot(): EngineSnapshot {
    const now = performance.now();
    const { iceSeconds, dtlsSeconds, firstKeyframeSeconds, fanoutLatencySeconds } = this.#histograms;
    const { sendBatchPackets, frameMessages, rttSeconds, lossRatio } = this.#histograms;
    const sockets = [...this.#streams.values()].reduce((sum, { input }) => sum + (input?.sockets ?? 0), 0);
    return {
      udpPorts: sockets + (this.#closed ? 0 : 1),
      streams: [...this.#streams.values()].map(({ stream }) => stream.snapshot(now)),
      shards: [{ viewers: this.#viewers.size, queueDepth: 0 }],
      limits: LIMITS,
      histograms: {
        iceSeconds: iceSeconds.snapshot(),
        dtlsSeconds: dtlsSeconds.snapshot(),
        firstKeyframeSeconds: firstKeyframeSeconds.snapshot(),
        fanoutLatencySeconds: fanoutLatencySeconds.snapshot(),
        sendBatchPackets: sendBatchPackets.snapshot(),
        frameMessages: frameMessages.snapshot(),
        rttSeconds: rttSeconds.snapshot(),
        lossRatio: lossRatio.snapshot(),
      },
    };
  }

  viewers(): ViewerSnapshot[] {
    const now = performance.now();
    return [...this.#viewers.values()].map((viewer) => viewer.snapshot(now));
  }

  onEvents(listener: (events: EngineEvent[]) => void): void {
    this.#listener = listener;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#streams.keys()].map((id) => this.removeStream(id)));
    for (const session of [...this.#viewers.keys()]) void this.removeSession(session);
    await Promise.all(this.#leaving);
    await this.#mux.close();
  }

  #turn(): void {
    const now = performance.now();
    for (const { stream } of this.#streams.values()) stream.poll(now);
    if (this.#events.length > 0) this.#listener?.(this.#events.splice(0, MAX_EVENTS));
  }

  #requireOpen(): void {
    if (this.#closed) throw new Failure('closing', 'closing');
  }
}

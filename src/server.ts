import type { Tokens } from './access.ts';
import type { LegKind, StreamPorts } from './engine/port.ts';
import { Failure } from './errors.ts';
import type { Stats } from './http/schemas.ts';
import type { Hub } from './hub.ts';
import { parseSource, parseStreamId, type Settings } from './options.ts';
import type { Session } from './sessions.ts';
import { createSource } from './sources/create.ts';
import { checkFrame } from './sources/push.ts';
import type { Source, SourceKind } from './sources/source.ts';
import type { SourceInput } from './sources/spec.ts';
import type { Stream } from './streams.ts';

/** A server: a fetch handler, and what the program that mounts it may look at and do. */
export interface Server {
  /** Answers a request; never rejects. Bound: it can be passed on alone, and ignores further arguments. */
  readonly fetch: (request: Request) => Promise<Response>;
  readonly streams: Streams;
  readonly sessions: Sessions;
  /** What `GET /webrtc/stats` answers. */
  snapshot(): Stats;
  /** What `GET /metrics` answers: the Prometheus text format. */
  metrics(): Promise<string>;
  /**
   * Replaces every token, from the next request on; who is there stays. One that is absent closes its action, unless a hook
   * or `open` speaks for it. Throws `invalid-options`.
   */
  renewTokens(tokens: Tokens): void;
  /**
   * Refuses new work (503), ends every session, stops sources and engine. A second call waits for the first; afterwards
   * the process can end. Rejects when something could not be ended, or not within some seconds, with an `AggregateError`
   * when it was more than one thing; everything else has ended all the same.
   */
  close(): Promise<void>;
}

export interface StreamInfo {
  id: string;
  /** Ended: silent for longer than the grace time, and what comes back makes it live again; or failed in the engine. */
  state: 'starting' | 'live' | 'stalled' | 'ended';
  source: SourceKind;
  /** UDP ports of its legs, where it has any. */
  ports: StreamPorts;
  viewers: number;
}

export interface SessionInfo {
  /** A capability: who knows it may end the session. */
  id: string;
  kind: 'viewer' | 'publisher';
  stream: string;
  state: 'setup' | 'connected';
}

/** The streams, in the order of their addition. */
export class Streams {
  readonly #hub: Hub;
  readonly #terms: Pick<Settings, 'codecs'>;

  /** @internal */
  constructor(hub: Hub, terms: Pick<Settings, 'codecs'>) {
    this.#hub = hub;
    this.#terms = terms;
  }

  /**
   * Adds a stream and starts its source: a SOURCE string, its object form or a `Source`. Rejects with a `Failure`:
   * `invalid-options`, `stream-exists`, `address-in-use`, `ffmpeg-missing`, `closing`.
   */
  async add(id: string, source: SourceInput | Source): Promise<StreamInfo> {
    parseStreamId(id);
    return this.#info(await this.#hub.addStream(id, createSource(parseSource(source, `streams.${id}`), this.#terms)));
  }

  /**
   * Ends its viewers and stops its source. False for an unknown stream. Rejects when the source does not stop; the id is
   * taken until a further call succeeds.
   */
  remove(id: string): Promise<boolean> {
    return this.#hub.removeStream(id);
  }

  get(id: string): StreamInfo | undefined {
    const stream = this.#hub.streams.get(id);
    return stream && this.#info(stream);
  }

  /**
   * Hands over one frame of a `push` stream, as encoders and WebCodecs give it, of the codec that its source names: an
   * H264 or H265 access unit (Annex B, or with lengths of four bytes; its parameter sets once at least, also as a decoder
   * configuration record), a VP8 or VP9 frame, an AV1 temporal unit of OBUs with sizes, an Opus packet, or at most a second
   * of PCMU, PCMA or G722. `timestamp` is in microseconds, on any clock that both legs share. The data is copied.
   *
   * False when the frame was refused because the engine is behind: drop it, and go on with a keyframe. Throws a
   * `Failure`: `stream-not-found`; `bad-request` for what is no frame, and for a leg that the stream does not have.
   */
  push(id: string, leg: LegKind, data: Uint8Array, timestamp: number): boolean {
    const { source } = this.#hub.streams.require(id);
    const { ingress } = source;
    if (typeof ingress === 'function' || ingress.kind !== 'push') {
      throw new Failure('bad-request', `stream "${id}" takes no frames: its source is not push`);
    }
    checkFrame(ingress, leg, data, timestamp);
    return this.#hub.engine.push(id, leg, data, timestamp);
  }

  *[Symbol.iterator](): IterableIterator<StreamInfo> {
    for (const stream of this.#hub.streams) yield this.#info(stream);
  }

  #info({ id, source, ports }: Stream): StreamInfo {
    const viewers = this.#hub.sessions.viewersOf(id);
    return { id, state: this.#hub.streams.state(id), source: source.kind, ports: { ...ports }, viewers };
  }
}

/** Viewers and publishers. */
export class Sessions {
  readonly #hub: Hub;

  /** @internal */
  constructor(hub: Hub) {
    this.#hub = hub;
  }

  get(id: string): SessionInfo | undefined {
    const session = this.#hub.sessions.get(id);
    return session && info(session);
  }

  /** Ends a session; resolves when its media has stopped. False for an unknown one. */
  async remove(id: string): Promise<boolean> {
    const session = this.#hub.sessions.get(id);
    if (session === undefined) return false;
    await this.#hub.leave(session);
    return true;
  }

  *[Symbol.iterator](): IterableIterator<SessionInfo> {
    for (const session of this.#hub.sessions) yield info(session);
  }
}

function info({ id, kind, stream, state }: Session): SessionInfo {
  return { id, kind, stream, state };
}

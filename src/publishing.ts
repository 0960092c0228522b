import type { LegKind, MediaEngine } from './engine/port.ts';
import { Failure } from './errors.ts';
import type { Joined, Lifecycle } from './lifecycle.ts';
import { negotiatePublish } from './sdp/negotiate.ts';
import { parseOffer } from './sdp/offer.ts';
import type { Session, SessionTable } from './sessions.ts';
import type { StreamTable } from './streams.ts';

export interface PublishingParts {
  engine: MediaEngine;
  streams: StreamTable;
  sessions: SessionTable;
  lifecycle: Lifecycle;
  /** A publisher that has sent nothing for this long is gone. Milliseconds. */
  silence: number;
}

/** Who may publish a stream: one at a time. */
export class Publishing {
  readonly #parts: PublishingParts;

  constructor(parts: PublishingParts) {
    this.#parts = parts;
  }

  /** The legs that may be published. Throws `stream-not-found`, `publisher-conflict`. */
  admit(stream: string): readonly LegKind[] {
    const { ingress } = this.#parts.streams.require(stream).source;
    if (typeof ingress === 'function' || ingress.kind !== 'publisher') {
      throw new Failure('publisher-conflict', 'webrtc: this stream takes no publisher');
    }
    if (!this.#replaceable(stream)) this.#parts.sessions.checkPublisher(stream);
    return ingress.legs;
  }

  /** Lets a publisher in; one that it replaces is ended. Rejects with the failures of `sdp/`, `admit` and the engine. */
  async join(stream: string, sdp: string, signal: AbortSignal): Promise<Joined> {
    const { lifecycle } = this.#parts;
    const offer = parseOffer(sdp, 'publish');
    const plan = negotiatePublish(offer, this.admit(stream));
    const before = this.#replaceable(stream);
    if (before) void lifecycle.end(before, 'replaced');
    return lifecycle.join('publisher', stream, offer, plan, { client: '', signal });
  }

  /** The publisher that a second may replace: whoever it is where the source says so, else one that is gone. */
  #replaceable(stream: string): Session | undefined {
    const { streams, sessions } = this.#parts;
    const publisher = sessions.publisherOf(stream);
    const { takeover } = streams.require(stream).source;
    return publisher && (takeover || this.#isGone(publisher)) ? publisher : undefined;
  }

  /** It was connected, and nothing comes any more: lost consent would show only after half a minute (RFC 7675 §5.1). */
  #isGone({ stream, connectedAt = Number.POSITIVE_INFINITY }: Session): boolean {
    const { engine, silence } = this.#parts;
    const { video, audio } = engine.facts(stream) ?? {};
    return !video?.active && !audio?.active && performance.now() - connectedAt > silence;
  }
}

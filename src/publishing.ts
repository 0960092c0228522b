import { type Codec, PUBLISHED_CODECS } from './engine/codecs.ts';
import type { LegKind, MediaEngine } from './engine/port.ts';
import { Failure } from './errors.ts';
import type { Joined, Lifecycle } from './lifecycle.ts';
import { negotiatePublish } from './sdp/negotiate.ts';
import { parseOffer } from './sdp/offer.ts';
import type { IceChecks } from './sdp/transport.ts';
import { retrySoon, type Session, type SessionTable } from './sessions.ts';
import type { StreamTable } from './streams.ts';

export interface PublishingParts {
  engine: MediaEngine;
  streams: StreamTable;
  sessions: SessionTable;
  lifecycle: Lifecycle;
  /** A publisher that has sent nothing for this long is gone. Milliseconds. */
  silence: number;
  iceChecks: IceChecks;
}

/** Who may publish a stream: one at a time, and one that is about to take its place. */
export class Publishing {
  readonly #parts: PublishingParts;

  constructor(parts: PublishingParts) {
    this.#parts = parts;
  }

  /** What may be published. Throws `stream-not-found`, `publisher-conflict`. */
  admit(stream: string): { legs: readonly LegKind[]; codecs: readonly Codec[] } {
    const { streams, sessions } = this.#parts;
    const { ingress, takeover, codecs = PUBLISHED_CODECS } = streams.require(stream).source;
    if (typeof ingress === 'function' || ingress.kind !== 'publisher') {
      throw new Failure('publisher-conflict', 'webrtc: this stream takes no publisher');
    }
    if (!takeover && !sessions.publishersOf(stream).every((publisher) => this.#isGone(publisher))) {
      throw new Failure('publisher-conflict', 'webrtc: somebody else publishes this stream', {
        retryAfter: retrySoon(),
      });
    }
    return { legs: ingress.legs, codecs };
  }

  /**
   * Lets a publisher in. One that is connected goes on until this one is too; one that is not makes way as soon as this
   * one has its answer. Rejects with the failures of `sdp/`, `admit` and the engine.
   */
  async join(stream: string, sdp: string, signal: AbortSignal): Promise<Joined> {
    const offer = parseOffer(sdp, 'publish');
    const { legs, codecs } = this.admit(stream);
    const plan = negotiatePublish(offer, legs, codecs, this.#parts.iceChecks);
    const visitor = { client: '', signal };
    const joined = await this.#parts.lifecycle.join('publisher', stream, offer, plan, visitor);
    this.#replace(this.#before(joined.session).filter(({ state }) => state === 'setup'));
    return joined;
  }

  /** A publisher can send: it is the stream's from now on. */
  connected(publisher: Session): void {
    this.#replace(this.#before(publisher));
  }

  #before(publisher: Session): Session[] {
    const all = this.#parts.sessions.publishersOf(publisher.stream);
    return all.slice(0, Math.max(all.indexOf(publisher), 0));
  }

  #replace(publishers: Session[]): void {
    for (const publisher of publishers) void this.#parts.lifecycle.end(publisher, 'replaced');
  }

  /** It was connected, and nothing comes any more: lost consent would show only after half a minute (RFC 7675 §5.1). */
  #isGone({ stream, connectedAt = Number.POSITIVE_INFINITY }: Session): boolean {
    const { engine, silence } = this.#parts;
    const { video, audio } = engine.facts(stream) ?? {};
    return !video?.active && !audio?.active && performance.now() - connectedAt > silence;
  }
}

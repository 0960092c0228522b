import type { PlayOptions } from './index.ts';
import { type Cause, causeOf } from './retry.ts';
import { whenLive } from './reveal.ts';
import { iceServers, withStereo } from './sdp.ts';

export interface Legs {
  video: boolean;
  audio: boolean;
}

/** Why a session ended, or was never had. */
export interface End {
  cause: Cause;
  /** In the words of the server where it gave some. */
  reason: string;
  /** The value of Retry-After, where it was sent. */
  retryAfter: string | null;
}

export interface Listener {
  playing(legs: Legs): void;
  blocked(): void;
  stalled(): void;
  ended(end: End): void;
}

/** How long nothing may arrive in each state of the connection before it is given up. Milliseconds. */
const PATIENCE: Readonly<Record<RTCPeerConnectionState, number>> = {
  new: 8000,
  connecting: 8000,
  // The server keeps its viewers while it waits for a source to come back.
  connected: 15_000,
  disconnected: 3000,
  failed: 0,
  closed: 0,
};
/** How long not even an answer to a connectivity check may come after a sleep of the page. Milliseconds. */
const WAKING = 4000;
/** Silence that a viewer is told of, and how long sound waits for a picture. Milliseconds. */
const STALL = 2500;

/** One WHEP session, from offer to DELETE. Tells its end once, unless it was left. */
export class Attempt {
  // Not `max-bundle`: with it Chromium cannot take an answer that rejects the first media section (sound alone).
  readonly connection: RTCPeerConnection;
  readonly #element: HTMLMediaElement;
  readonly #endpoint: URL;
  readonly #options: PlayOptions;
  readonly #listener: Listener;
  readonly #stream = new MediaStream();
  /** What the listener was told to play. */
  #legs: Legs | undefined;
  #stalled = false;
  #headers: Record<string, string> = {};
  #session: string | undefined;
  #over = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #media = new Counter();
  readonly #network = new Counter();
  /** `performance.now()` of the moments. */
  #connected: number | undefined;
  #woken: number | undefined;
  #stopWaiting = () => {};

  constructor(element: HTMLMediaElement, endpoint: URL, options: PlayOptions, listener: Listener) {
    this.connection = new RTCPeerConnection({ iceServers: options.iceServers ?? [] });
    this.#element = element;
    this.#endpoint = endpoint;
    this.#options = options;
    this.#listener = listener;
  }

  start(): void {
    this.#negotiate().catch((error: unknown) => {
      this.#end('unreachable', error instanceof Error ? error.message : String(error));
    });
  }

  /** Ends the session here and at the server; `keepalive` lets the DELETE outlive the page. */
  leave(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#stopWaiting();
    this.connection.close();
    if (this.#session === undefined) return;
    fetch(this.#session, { method: 'DELETE', headers: this.#headers, keepalive: true }).catch(() => {});
    this.#session = undefined;
  }

  /** The page has slept, or the network was away: is the connection still there? */
  doubt(): void {
    this.#woken = performance.now();
  }

  #end(cause: Cause, reason: string, retryAfter: string | null = null): void {
    if (this.#over) return;
    this.leave();
    this.#listener.ended({ cause, reason, retryAfter });
  }

  async #negotiate(): Promise<void> {
    const { connection } = this;
    const { token, lowLatency } = this.#options;
    for (const kind of ['video', 'audio']) {
      const { receiver } = connection.addTransceiver(kind, { direction: 'recvonly' });
      if (lowLatency) receiver.jitterBufferTarget = 0;
    }
    connection.ontrack = ({ track }) => this.#stream.addTrack(track);
    connection.onconnectionstatechange = () => {
      if (['failed', 'closed'].includes(connection.connectionState)) this.#end('lost', 'the connection was lost');
    };
    const offer = withStereo((await connection.createOffer()).sdp ?? '');
    const bearer = typeof token === 'function' ? await token() : token;
    if (bearer !== undefined) this.#headers = { Authorization: `Bearer ${bearer}` };

    // Gathering waits for the answer, which brings the ICE servers. The server needs none of our candidates.
    const response = await fetch(this.#endpoint, {
      method: 'POST',
      headers: { ...this.#headers, 'Content-Type': 'application/sdp', Accept: 'application/sdp, text/plain' },
      body: offer,
    });
    const answer = await response.text();
    if (response.status !== 201) {
      this.#refused(response, answer);
      return;
    }
    const location = response.headers.get('Location');
    if (location !== null) this.#session = new URL(location, response.url).href;
    if (this.#over) {
      this.leave();
      return;
    }
    this.#configure(iceServers(response.headers.get('Link')));
    await connection.setLocalDescription({ type: 'offer', sdp: offer });
    await connection.setRemoteDescription({ type: 'answer', sdp: answer });
    this.#attach();
    void this.#watch();
  }

  #refused(response: Response, body: string): void {
    const reason = body.length > 0 && body.length < 300 ? body.trim() : `HTTP status ${response.status}`;
    this.#end(causeOf(response.status), reason, response.headers.get('Retry-After'));
  }

  #configure(servers: RTCIceServer[]): void {
    if (servers.length === 0) return;
    const configuration = this.connection.getConfiguration();
    this.connection.setConfiguration({
      ...configuration,
      iceServers: [...(configuration.iceServers ?? []), ...servers],
    });
  }

  #attach(): void {
    for (const { transport } of this.connection.getReceivers()) {
      // The state of the connection does not tell that the server has ended it: only that of DTLS does.
      transport?.addEventListener('statechange', () => {
        if (transport.state === 'closed') this.#end('ended', 'the server ended the session');
      });
    }
    this.#element.srcObject = this.#stream;
    const [audio] = this.#stream.getAudioTracks();
    if (this.#stream.getVideoTracks().length > 0) {
      this.#stopWaiting = whenLive(this.#element, () => this.#plays({ video: true, audio: audio !== undefined }));
    } else {
      audio?.addEventListener('unmute', () => this.#plays({ video: false, audio: true }));
    }
    void this.#begin();
  }

  /** Starts the element, muted if need be. */
  async #begin(): Promise<void> {
    try {
      await this.#element.play();
    } catch (error) {
      // Anything else means that the element was given another stream.
      if (this.#over || !(error instanceof DOMException) || error.name !== 'NotAllowedError') return;
      if (this.#element.muted) {
        this.#listener.blocked();
        this.#element.addEventListener('playing', () => this.#legs && this.#plays(this.#legs), { once: true });
        return;
      }
      this.#element.muted = true;
      await this.#begin();
    }
  }

  #plays(legs: Legs): void {
    if (this.#over) return;
    this.#legs = legs;
    this.#stalled = false;
    if (!this.#element.paused) this.#listener.playing(legs);
  }

  /** Notices a connection that never comes up, breaks off or dries out. */
  async #watch(): Promise<void> {
    const received = await this.#received();
    if (this.#over) return;
    const now = performance.now();
    const state = this.connection.connectionState;
    const silence = this.#media.silence(received.media, now);
    const alive = this.#network.silence(received.media + received.responses, now);
    if (silence > PATIENCE[state] || Math.min(alive, now - (this.#woken ?? now)) > WAKING) {
      this.#end('lost', 'nothing arrives');
      return;
    }
    if (alive === 0) this.#woken = undefined;
    if (state === 'connected') this.#judge(silence, received.audio, now);
    this.#timer = setTimeout(() => void this.#watch(), 1000);
  }

  #judge(silence: number, audio: number, now: number): void {
    this.#connected ??= now;
    if (silence > STALL && !this.#stalled) {
      this.#stalled = true;
      this.#listener.stalled();
    } else if (silence === 0 && (this.#stalled || (!this.#legs && audio > 0 && now - this.#connected > STALL))) {
      this.#plays(this.#legs ?? { video: false, audio: audio > 0 });
    }
  }

  async #received(): Promise<{ media: number; audio: number; responses: number }> {
    const sums = { media: 0, audio: 0, responses: 0 };
    for (const report of (await this.connection.getStats()).values()) {
      if (report.type === 'candidate-pair') sums.responses += report.responsesReceived ?? 0;
      if (report.type !== 'inbound-rtp') continue;
      sums.media += report.bytesReceived;
      if (report.kind === 'audio') sums.audio += report.bytesReceived;
    }
    return sums;
  }
}

/** How long a counter has stood still. */
class Counter {
  #count = 0;
  #grown = performance.now();

  /** Milliseconds; 0 when it has grown since the call before. */
  silence(count: number, now: number): number {
    if (count > this.#count) this.#grown = now;
    this.#count = count;
    return now - this.#grown;
  }
}

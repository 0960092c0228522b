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
/** From a request to the last byte of its response. Milliseconds. */
const ANSWER_TIME = 10_000;
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
  readonly #posting = new AbortController();
  #session: URL | undefined;
  #over = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #media = new Counter();
  /** `Date.now()`. */
  #connected: number | undefined;
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
    this.#posting.abort();
    if (this.#session === undefined) return;
    // Credentials are for the origin they were given for.
    const headers = this.#session.origin === this.#endpoint.origin ? this.#headers : {};
    const signal = AbortSignal.timeout(ANSWER_TIME);
    fetch(this.#session, { method: 'DELETE', headers, keepalive: true, signal }).catch(() => {});
    this.#session = undefined;
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
    const { response, answer } = await this.#post(offer);
    if (response.status !== 201) {
      this.#refused(response, answer);
      return;
    }
    this.#session = sessionOf(response, this.#endpoint, this.#options.followOrigins);
    if (this.#over) {
      this.leave();
      return;
    }
    this.#configure(iceServers(response.headers.get('Link')));
    await connection.setLocalDescription({ type: 'offer', sdp: offer });
    await connection.setRemoteDescription({ type: 'answer', sdp: answer });
    this.#attach();
    this.#media = new Counter();
    void this.#watch();
  }

  /** Rejects when it takes too long, or the session was left. */
  async #post(body: string): Promise<{ response: Response; answer: string }> {
    const { signal } = this.#posting;
    const late = setTimeout(() => this.#posting.abort(new Error('the server does not answer')), ANSWER_TIME);
    const headers = { ...this.#headers, 'Content-Type': 'application/sdp', Accept: 'application/sdp, text/plain' };
    try {
      const response = await fetch(this.#endpoint, { method: 'POST', headers, body, signal });
      return { response, answer: await response.text() };
    } finally {
      clearTimeout(late);
    }
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
    const state = this.connection.connectionState;
    const silence = this.#media.silence(received.all);
    if (silence > PATIENCE[state]) {
      this.#end('lost', 'nothing arrives');
      return;
    }
    if (state === 'connected') this.#judge(silence, received.audio > 0);
    this.#timer = setTimeout(() => void this.#watch(), 1000);
  }

  #judge(silence: number, audio: boolean): void {
    this.#connected ??= Date.now();
    const pictureless = this.#legs === undefined && audio && Date.now() - this.#connected > STALL;
    if (silence > STALL && !this.#stalled) {
      this.#stalled = true;
      this.#listener.stalled();
    } else if (silence === 0 && (this.#stalled || pictureless)) {
      this.#plays(this.#legs ?? { video: false, audio });
    }
  }

  /** Bytes of media so far. */
  async #received(): Promise<{ all: number; audio: number }> {
    const sums = { all: 0, audio: 0 };
    for (const report of (await this.connection.getStats()).values()) {
      if (report.type !== 'inbound-rtp') continue;
      sums.all += report.bytesReceived;
      if (report.kind === 'audio') sums.audio += report.bytesReceived;
    }
    return sums;
  }
}

/**
 * The session's URL (RFC 9725 §4.2), unless that is on an origin that nobody named: who answers could have us send DELETE
 * to others.
 */
function sessionOf(response: Response, endpoint: URL, origins: PlayOptions['followOrigins'] = []): URL | undefined {
  const location = response.headers.get('Location');
  if (location === null || !URL.canParse(location, response.url)) return undefined;
  const session = new URL(location, response.url);
  const followed = session.origin === endpoint.origin || origins === true || origins.includes(session.origin);
  return followed ? session : undefined;
}

/** Looks are a second apart; one this late means that the machine has slept. Milliseconds. */
const SLEEP = 8000;

/** How long a counter has stood still; by the clock on the wall, which goes on while the machine sleeps. */
class Counter {
  #count = 0;
  #grown = Date.now();
  #looked = Date.now();

  /** Milliseconds; 0 when it has grown since the look before, and on waking up: then the next look will tell. */
  silence(count: number): number {
    const now = Date.now();
    const slept = now - this.#looked > SLEEP;
    if (count > this.#count && !slept) this.#grown = now;
    this.#count = count;
    this.#looked = now;
    return slept ? 0 : now - this.#grown;
  }
}

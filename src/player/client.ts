import { type Refusal, retryDelay } from './retry.ts';
import { iceServers, withStereo } from './sdp.ts';

export type PlayerState =
  | { phase: 'connecting' }
  | { phase: 'playing'; video: boolean; audio: boolean }
  /** Not playing; tried again after `seconds`. */
  | { phase: 'waiting'; reason: string; seconds: number }
  /** Trying again would not help. */
  | { phase: 'refused'; reason: string }
  | { phase: 'closed' };

export interface PlayOptions {
  /** Bearer token of the server. */
  token?: string | undefined;
  onState?: ((state: PlayerState) => void) | undefined;
}

export interface Player {
  /** The connection in use, for `getStats()`. */
  readonly connection: RTCPeerConnection | undefined;
  /** Leaves the stream; safe while the page is being closed. */
  close(): void;
}

/** How long nothing may arrive in each state of the connection before it is given up. Milliseconds. */
const PATIENCE: Record<RTCPeerConnectionState, number> = {
  new: 8000,
  connecting: 8000,
  // The server keeps its viewers while it waits for a source to come back.
  connected: 15_000,
  disconnected: 3000,
  failed: 0,
  closed: 0,
};

/** Why an attempt ended; `refusal` when the server said so. */
interface End {
  reason: string;
  refusal: Refusal;
}

/** Shows the stream of a WHEP endpoint in `element` until `close`, connecting again whenever it breaks off. */
export function play(element: HTMLMediaElement, endpoint: string | URL, options: PlayOptions = {}): Player {
  let closed = false;
  let attempt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let current: Attempt | undefined;
  const report = (state: PlayerState) => options.onState?.(state);

  const connect = () => {
    report({ phase: 'connecting' });
    current = new Attempt(element, endpoint, options.token, {
      playing: (legs) => {
        attempt = 0;
        report({ phase: 'playing', ...legs });
      },
      ended: retry,
    });
    current.start();
  };

  const retry = ({ reason, refusal }: End) => {
    if (closed) return;
    const seconds = retryDelay(refusal, attempt++);
    if (seconds === undefined) {
      report({ phase: 'refused', reason });
    } else {
      report({ phase: 'waiting', reason, seconds });
      timer = setTimeout(connect, seconds * 1000);
    }
  };

  connect();
  return {
    get connection() {
      return current?.connection;
    },
    close() {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      current?.leave();
      element.srcObject = null;
      report({ phase: 'closed' });
    },
  };
}

interface Listener {
  playing(legs: { video: boolean; audio: boolean }): void;
  ended(end: End): void;
}

/** One WHEP session, from offer to DELETE. Tells its end once, unless it was left. */
class Attempt {
  // Not `max-bundle`: with it Chromium cannot take an answer that rejects the first media section (sound alone).
  readonly connection = new RTCPeerConnection();
  readonly #element: HTMLMediaElement;
  readonly #endpoint: string | URL;
  readonly #headers: Record<string, string>;
  readonly #listener: Listener;
  readonly #stream = new MediaStream();
  #session: string | undefined;
  #over = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(element: HTMLMediaElement, endpoint: string | URL, token: string | undefined, listener: Listener) {
    this.#element = element;
    this.#endpoint = endpoint;
    this.#headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    this.#listener = listener;
  }

  start(): void {
    this.#negotiate().catch((error: unknown) => this.#end(error instanceof Error ? error.message : String(error)));
  }

  /** Ends the session here and at the server; `keepalive` lets the DELETE outlive the page. */
  leave(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.connection.close();
    if (this.#session === undefined) return;
    fetch(this.#session, { method: 'DELETE', headers: this.#headers, keepalive: true }).catch(() => {});
    this.#session = undefined;
  }

  #end(reason: string, refusal: Refusal = { status: 0, retryAfter: null }): void {
    if (this.#over) return;
    this.leave();
    this.#listener.ended({ reason, refusal });
  }

  async #negotiate(): Promise<void> {
    const { connection } = this;
    connection.addTransceiver('video', { direction: 'recvonly' });
    connection.addTransceiver('audio', { direction: 'recvonly' });
    connection.ontrack = ({ track }) => this.#stream.addTrack(track);
    connection.onconnectionstatechange = () => this.#connectionChanged();
    const offer = withStereo((await connection.createOffer()).sdp ?? '');

    // Gathering waits for the answer, which brings the ICE servers. The server needs none of our candidates.
    const response = await fetch(this.#endpoint, {
      method: 'POST',
      headers: { ...this.#headers, 'Content-Type': 'application/sdp', Accept: 'application/sdp, text/plain' },
      body: offer,
    });
    const body = await response.text();
    if (response.status !== 201) {
      this.#refused(response, body);
      return;
    }
    const location = response.headers.get('Location');
    if (location !== null) this.#session = new URL(location, response.url).href;
    if (this.#over) {
      this.leave();
      return;
    }

    const servers = iceServers(response.headers.get('Link'));
    if (servers.length > 0) connection.setConfiguration({ ...connection.getConfiguration(), iceServers: servers });
    await connection.setLocalDescription({ type: 'offer', sdp: offer });
    await connection.setRemoteDescription({ type: 'answer', sdp: body });
    for (const { transport } of connection.getReceivers()) {
      // The state of the connection does not tell that the server has ended it: only that of DTLS does.
      transport?.addEventListener('statechange', () => {
        if (transport.state === 'closed') this.#end('the server ended the session');
      });
    }
    this.#element.srcObject = this.#stream;
    void this.#watch(0, performance.now());
  }

  #refused(response: Response, body: string): void {
    const reason = body.length > 0 && body.length < 300 ? body.trim() : `HTTP status ${response.status}`;
    this.#end(reason, { status: response.status, retryAfter: response.headers.get('Retry-After') });
  }

  #connectionChanged(): void {
    const state = this.connection.connectionState;
    if (state === 'failed' || state === 'closed') {
      this.#end('the connection was lost');
    } else if (state === 'connected') {
      const has = (kind: string) => this.#stream.getTracks().some((track) => track.kind === kind);
      this.#listener.playing({ video: has('video'), audio: has('audio') });
    }
  }

  /** Notices a connection that never comes up, breaks off or dries out. */
  async #watch(bytes: number, since: number): Promise<void> {
    let received = 0;
    for (const report of (await this.connection.getStats()).values()) {
      if (report.type === 'inbound-rtp') received += report.bytesReceived;
    }
    if (this.#over) return;
    const now = performance.now();
    const latest = received > bytes ? now : since;
    if (now - latest > PATIENCE[this.connection.connectionState]) this.#end('nothing arrives');
    else this.#timer = setTimeout(() => void this.#watch(received, latest), 1000);
  }
}

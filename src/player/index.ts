/** A WHEP player for web pages: shows a stream in a media element and keeps it there. It depends on nothing. */
import { Attempt, type End, type Legs } from './attempt.ts';
import { type Cause, retryOf } from './retry.ts';
import { type PlayerStats, StatsSampler } from './stats.ts';

export type { Cause, PlayerStats };

export type PlayerState =
  | { phase: 'connecting' }
  /** What can be seen and heard, from the live edge on. */
  | { phase: 'playing'; video: boolean; audio: boolean }
  /** The browser wants a gesture: call `play()` of the element when there is one. */
  | { phase: 'blocked' }
  /** Connected, but nothing arrives: the source pauses. */
  | { phase: 'stalled' }
  /** Not connected; tried again after `seconds`. `reason` is in the words of the server where it gave some. */
  | { phase: 'waiting'; cause: Cause; reason: string; seconds: number }
  /** Trying again would not help. */
  | { phase: 'refused'; cause: Cause; reason: string }
  | { phase: 'closed' };

export interface PlayOptions {
  /** Bearer token of the server; a function is asked before each request for a session. */
  token?: string | (() => string | Promise<string>) | undefined;
  /**
   * Origins besides the endpoint's on which its session URLs may be, as of a server that redirects to its nodes; true: all.
   * The token is for the endpoint's origin alone.
   */
  followOrigins?: true | readonly string[] | undefined;
  /** Beside those that the server names in its Link headers. */
  iceServers?: RTCIceServer[] | undefined;
  /** Asks server and browser for the smallest delay, at the price of more stutter on a bad network. */
  lowLatency?: boolean | undefined;
  /** Browsers let only muted elements start by themselves; if one refuses sound, the player mutes. By default true. */
  startMuted?: boolean | undefined;
  /** Told of each state, the first one included. */
  onState?: ((state: PlayerState) => void) | undefined;
}

export interface Player {
  readonly state: PlayerState;
  /** The connection in use; another one after each reconnection. */
  readonly connection: RTCPeerConnection | undefined;
  /** Figures of the time since the call before; undefined while there is no connection. */
  stats(): Promise<PlayerStats | undefined>;
  /** Leaves the stream for good. */
  close(): void;
}

/** Shows the stream of a WHEP endpoint in `element` until `close`, connecting again whenever it breaks off. */
export function play(element: HTMLMediaElement, endpoint: string | URL, options: PlayOptions = {}): Player {
  return new Playback(element, endpoint, options);
}

class Playback implements Player {
  readonly #element: HTMLMediaElement;
  readonly #endpoint: URL;
  readonly #options: PlayOptions;
  readonly #listening = new AbortController();
  #state: PlayerState = { phase: 'connecting' };
  #attempt: Attempt | undefined;
  #sampler = new StatsSampler();
  /** Attempts in a row that showed nothing. */
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** `performance.now()` before which the server does not want to be asked again. */
  #notBefore = 0;

  constructor(element: HTMLMediaElement, endpoint: string | URL, options: PlayOptions) {
    this.#element = element;
    this.#endpoint = new URL(endpoint, document.baseURI);
    if (options.lowLatency) this.#endpoint.searchParams.set('latency', 'low');
    this.#options = options;
    element.muted = options.startMuted ?? true;

    const { signal } = this.#listening;
    document.addEventListener('visibilitychange', () => this.#wake(), { signal });
    addEventListener('online', () => this.#wake(), { signal });
    // A page that is left tells the server at once; one that comes back whole from the browser's cache connects again.
    addEventListener('pagehide', () => this.#pause(), { signal });
    addEventListener('pageshow', ({ persisted }) => persisted && this.#connect(), { signal });
    this.#connect();
  }

  get state(): PlayerState {
    return this.#state;
  }

  get connection(): RTCPeerConnection | undefined {
    return this.#attempt?.connection;
  }

  async stats(): Promise<PlayerStats | undefined> {
    const [attempt, sampler] = [this.#attempt, this.#sampler];
    return attempt && sampler.sample(await attempt.connection.getStats());
  }

  close(): void {
    if (this.#state.phase === 'closed') return;
    this.#listening.abort();
    this.#pause();
    this.#element.srcObject = null;
    this.#report({ phase: 'closed' });
  }

  #connect(): void {
    clearTimeout(this.#timer);
    this.#report({ phase: 'connecting' });
    this.#sampler = new StatsSampler();
    const attempt = new Attempt(this.#element, this.#endpoint, this.#options, {
      playing: (legs) => this.#playing(legs),
      blocked: () => this.#report({ phase: 'blocked' }),
      stalled: () => this.#report({ phase: 'stalled' }),
      ended: (end) => this.#retry(end),
    });
    this.#attempt = attempt;
    attempt.start();
  }

  #pause(): void {
    clearTimeout(this.#timer);
    this.#attempt?.leave();
    this.#attempt = undefined;
  }

  #playing(legs: Legs): void {
    this.#failures = 0;
    this.#report({ phase: 'playing', ...legs });
  }

  #retry({ cause, reason, retryAfter }: End): void {
    this.#attempt = undefined;
    const retry = retryOf(cause, retryAfter, this.#failures++);
    if (retry === undefined) {
      this.#report({ phase: 'refused', cause, reason });
      return;
    }
    const milliseconds = retry.seconds * 1000;
    this.#notBefore = retry.asked ? performance.now() + milliseconds : 0;
    this.#timer = setTimeout(() => this.#connect(), milliseconds);
    this.#report({ phase: 'waiting', cause, reason, seconds: retry.seconds });
  }

  /** The tab is looked at again, or the network is back: no reason to wait, unless the server gave one. */
  #wake(): void {
    const asked = performance.now() < this.#notBefore;
    if (document.visibilityState === 'hidden' || this.#state.phase !== 'waiting' || asked) return;
    this.#failures = 0;
    this.#connect();
  }

  #report(state: PlayerState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }
}

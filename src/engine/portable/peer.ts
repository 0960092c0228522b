import type { Buffer } from 'node:buffer';
import { isIP } from 'node:net';
import { Failure } from '../../errors.ts';
import type { EndReason, MediaLine } from '../port.ts';
import type { Library, LibraryTrack, PeerConnection } from './library.ts';
import type { MuxPort } from './mux.ts';

/** How long the local description may take. It is there at once where only host candidates are gathered. Milliseconds. */
const GATHERING = 5_000;
/** A peer that has not said by then that it is closed never will. Milliseconds. */
const CLOSING = 2_000;

export interface PeerSpec {
  id: string;
  offer: string;
  media: readonly MediaLine[];
}

/** What a peer tells. */
export interface PeerEvents {
  connected(): void;
  ended(reason: EndReason): void;
  /** RTCP for a track, by its index in the spec, decrypted. */
  message(track: number, packet: Buffer): void;
}

/** One peer connection that answers an offer and sends. */
export class Peer {
  readonly #connection: PeerConnection;
  readonly #tracks: LibraryTrack[] = [];
  readonly #open: boolean[] = [];
  readonly #events: PeerEvents;
  readonly #closed: Promise<void>;
  #parts = 1;
  #partClosed = () => {};
  #connected = false;
  #closing = false;

  constructor(mux: MuxPort, id: string, events: PeerEvents) {
    this.#events = events;
    this.#connection = mux.connect(id, (state) => this.#stateChanged(state));
    this.#closed = new Promise((resolve) => {
      this.#partClosed = () => {
        this.#parts--;
        if (this.#parts === 0) resolve();
      };
    });
  }

  /** Gives the local description. Rejects with `invalid-offer` or `engine-timeout`; close the peer then. */
  async answer(library: Library, { offer, media }: PeerSpec): Promise<string> {
    for (const line of media) this.#addTrack(library, line);
    try {
      this.#connection.setRemoteDescription(literalOnly(offer), 'offer');
    } catch (cause) {
      throw new Failure('invalid-offer', 'the offer was refused', { cause });
    }
    const deadline = performance.now() + GATHERING;
    while (!this.#closing && this.#connection.gatheringState() !== 'complete') {
      if (performance.now() > deadline) throw new Failure('engine-timeout', 'the answer took too long');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const description = this.#closing ? null : this.#connection.localDescription();
    if (description === null) throw new Failure('closing', 'closing');
    return description.sdp;
  }

  /** Sends RTP or RTCP as it is; false when the track cannot send. The packet may be changed afterwards. */
  send(track: number, packet: Buffer): boolean {
    const target = this.#tracks[track];
    if (!this.#connected || this.#closing || target === undefined) return false;
    this.#open[track] ||= target.isOpen();
    if (!this.#open[track]) return false;
    try {
      return target.sendMessageBinary(packet);
    } catch {
      // It closed a moment ago, which its events tell.
      return false;
    }
  }

  /** False when it is not valid or names no literal address. */
  addCandidate(mid: string, candidate: string): boolean {
    if (this.#closing || !isLiteral(candidate)) return false;
    try {
      this.#connection.addRemoteCandidate(candidate, mid);
      return true;
    } catch {
      return false;
    }
  }

  /** `local -> remote`, once chosen. */
  candidatePair(): string | undefined {
    const pair = this.#connected && !this.#closing ? this.#connection.getSelectedCandidatePair() : null;
    return pair === null ? undefined : `${pair.local.candidate} -> ${pair.remote.candidate}`;
  }

  /** Resolves when nothing of it is left. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      for (const track of this.#tracks) track.close();
      this.#connection.close();
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSING);
    });
    await Promise.race([this.#closed, late]);
    clearTimeout(timer);
  }

  #addTrack(library: Library, { kind, mid, description }: MediaLine): void {
    const media = kind === 'video' ? new library.Video(mid, 'SendOnly') : new library.Audio(mid, 'SendOnly');
    for (const line of description.split('\r\n')) if (line.startsWith('a=')) media.parseSdpLine(line);
    const index = this.#tracks.length;
    const track = this.#connection.addTrack(media);
    this.#tracks.push(track);
    // The library's wrapper of a track goes wrong when it is collected before it is closed: this keeps it.
    this.#parts++;
    track.onClosed(this.#partClosed);
    track.onMessage((packet) => {
      if (!this.#closing) this.#events.message(index, packet);
    });
  }

  #stateChanged(state: string): void {
    if (state === 'closed') this.#partClosed();
    if (this.#closing) return;
    if (state === 'connected') {
      this.#connected = true;
      this.#events.connected();
    } else if (state === 'failed' || state === 'disconnected' || state === 'closed') {
      this.#events.ended(this.#reason());
    }
  }

  #reason(): EndReason {
    const ice = this.#connection.iceState();
    const lost = ice === 'failed' || ice === 'disconnected';
    if (this.#connected) return lost ? 'consent-lost' : 'closed-by-peer';
    return lost ? 'ice-failed' : 'dtls-failed';
  }
}

/** The library would resolve a name, which anyone who may send SDP could have it do for any name. */
function isLiteral(candidate: string): boolean {
  return isIP(candidate.split(' ')[4] ?? '') !== 0;
}

function literalOnly(sdp: string): string {
  const lines = sdp.split('\r\n');
  return lines.filter((line) => !line.startsWith('a=candidate:') || isLiteral(line)).join('\r\n');
}

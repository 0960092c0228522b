/**
 * The one interface between policy (TypeScript) and media (native threads).
 *
 * Plain data only: no packet, no socket, no SDP decision crosses it, and nothing unbounded. An engine reports what
 * happens by itself (a viewer connected, a leg fell silent) through `onEvents`, in batches, at a pace of its own.
 */

import type { AudioCodec, Codec, VideoCodec } from './codecs.ts';

export type LegKind = 'video' | 'audio';

/** What comes in on a leg. */
export interface LegSpec {
  codec: Codec;
  /** Packets of other types are dropped; absent: whatever its sender chooses. */
  payloadType?: number;
  /** Of multiopus, whose packets do not tell: 3 to 8. */
  channels?: number;
  /** Parameter sets that were told apart from the stream, one NAL unit each, without start code. */
  sets?: Uint8Array[];
}

export interface RtpLeg extends LegSpec {
  /** UDP; 0 lets the system choose. */
  port: number;
  /** Absent: the port after (RFC 3550 §11). RTCP may always come to the RTP port too. */
  rtcpPort?: number;
}

/** Where the media of a stream enters the engine. */
export type Ingress =
  /** RTP on UDP ports of one address of this machine, or of a multicast group, which the engine joins. */
  | { kind: 'rtp'; host: string; video?: RtpLeg; audio?: RtpLeg }
  /** A looped clip. `video`: H264 Annex B with an access unit delimiter before each frame. `audio`: Ogg Opus. */
  | { kind: 'clip'; video: Uint8Array; audio: Uint8Array; framesPerSecond: number }
  /** Frames handed over by `push`. */
  | { kind: 'push'; video?: LegSpec; audio?: LegSpec }
  /** A WHIP publisher's tracks, connected later by `addPublisher`; negotiation says of which codecs they are. */
  | { kind: 'publisher'; legs: LegKind[] }
  /** What another server sends, connected later by `offerPull`; likewise. */
  | { kind: 'pull'; legs: LegKind[] };

export interface StreamSpec {
  id: string;
  ingress: Ingress;
  /** A leg without a packet for this long counts as inactive. Milliseconds. */
  silence: number;
  /** What is kept of each leg for viewers that join or miss packets. */
  cache: CacheSpec;
  /** Bytes that may leave at once for one viewer; what exceeds them is paced. `Infinity`: no limit. */
  burst: number;
}

export interface CacheSpec {
  bytes: number;
  /** Of the oldest frame. Milliseconds. */
  age: number;
  /** A viewer begins with the newest keyframe kept, rather than wait for the next. */
  instantStart: boolean;
}

/** The UDP ports that the legs of a stream really have; absent for a leg without one. */
export interface StreamPorts {
  video?: number;
  audio?: number;
}

/** One accepted m-line, as negotiated by `sdp/`. */
export interface MediaLine {
  kind: LegKind;
  mid: string;
  /** The local media section (RFC 8829 §5.3.1), CRLF line ends, as the track is to be added. */
  description: string;
  codec: Codec;
  /** Where the codec leaves their number open: 3 to 8. */
  channels?: number;
  payloadType: number;
  ssrc: number;
  cname: string;
  /** RFC 4588 retransmission, when negotiated. */
  rtx?: { payloadType: number; ssrc: number };
  /** Header extension ids (RFC 8285), for those the answer accepts and the engine writes. */
  extensions: { mid?: number; absCaptureTime?: number; playoutDelay?: number };
  /** The viewer understands generic NACK (RFC 4585 §6.2.1). */
  nack: boolean;
}

export interface ViewerSpec {
  id: string;
  stream: string;
  /** The remote offer, reduced to the accepted m-lines. */
  offer: string;
  /** In the order of the offer's accepted m-lines. */
  media: MediaLine[];
}

export interface PublisherSpec {
  id: string;
  stream: string;
  offer: string;
  media: MediaLine[];
}

/** A session to ask of another server, which then feeds a `pull` stream; a stream has one at a time. */
export interface PullSpec {
  id: string;
  stream: string;
  /** One m-line per leg, in the order of the offer. */
  media: Pick<MediaLine, 'kind' | 'mid' | 'description'>[];
}

/** A leg that another server sends, as its answer says. */
export interface AnsweredLeg {
  kind: LegKind;
  codec: Codec;
  /** As in `MediaLine`. */
  channels?: number;
}

/** What the engine has to add to an answer, or to an offer. */
export interface Transport {
  /** The engine's local description, whole: ICE credentials, fingerprint, setup and every candidate are in it. */
  description: string;
}

/** What DTLS has negotiated; absent where the engine cannot know. */
export interface SessionSecurity {
  /** The protection profile, as IANA registers it: `SRTP_AEAD_AES_128_GCM`. */
  srtpProfile?: string;
  /** `1.2`. */
  dtlsVersion?: string;
}

export type EndReason =
  | 'ice-failed'
  | 'dtls-failed'
  | 'consent-lost'
  | 'closed-by-peer'
  | 'setup-timeout'
  | 'engine-error'
  | 'flooding'
  /** A frame came of another codec than the viewer was promised: its answer is void, and it may ask anew. */
  | 'codec-changed';

export type EngineEvent =
  | ({ type: 'session-connected'; session: string } & SessionSecurity)
  | { type: 'session-ended'; session: string; reason: EndReason }
  | { type: 'leg-active'; stream: string; leg: LegKind }
  | { type: 'leg-inactive'; stream: string; leg: LegKind; reason: 'bye' | 'silent' }
  /** Nothing will come of it any more, whatever its source does; `text` says why. */
  | { type: 'stream-failed'; stream: string; text: string }
  /** One per stream and cause; `text` names the cure. */
  | { type: 'warning'; stream: string; code: string; text: string }
  | { type: 'log'; level: 'error' | 'warning' | 'info' | 'debug'; text: string };

/** What negotiation needs to know of a stream. A leg is present when the stream carries it. */
export interface StreamFacts {
  video?: VideoFacts;
  audio?: AudioFacts;
}

export interface VideoFacts {
  /** True while packets arrive. */
  active: boolean;
  codec: VideoCodec;
  /**
   * What the stream says of itself, by the names and in the form that SDP has for it: `profile-level-id` of H264 (RFC 6184
   * §8.1, six hex digits in lower case), `profile-id` of VP9 (RFC 9628 §6), `profile`, `level-idx` and `tier` of AV1,
   * `profile-space`, `profile-id`, `tier-flag` and `level-id` of H265 (RFC 7798 §7.1), nothing of VP8. Absent until it has.
   */
  parameters?: Readonly<Record<string, string>>;
  /** Pixels. */
  width?: number;
  height?: number;
  /** Bits of a sample. */
  bitDepth?: number;
  /** Frames per second, measured, and as the SPS says (ITU-T H.264 annex E). */
  framesPerSecond?: number;
  nominalFramesPerSecond?: number;
  /** Pictures that may be shown later than they are decoded, as the SPS says; absent when it does not. */
  reorderFrames?: number;
  /** Pictures may be of fields, as the SPS says (frame_mbs_only_flag): no Constrained profile has them, and few browsers. */
  interlaced?: boolean;
  /** Times that the SPS changed while the stream went on. */
  parameterChanges?: number;
  /** Frames from one IDR to the next, and the same in seconds. */
  gopFrames?: number;
  gopSeconds?: number;
  /** B-frames were seen (WebRTC cannot reorder). */
  bFrames: boolean;
  /** Seconds since the last IDR. */
  keyframeAge?: number;
  /** Packets of the source that never came. */
  lost?: number;
}

export interface AudioFacts {
  active: boolean;
  codec: AudioCodec;
  /** 1 to 8; of Opus from the TOC byte (RFC 6716 §3.1). */
  channels?: number;
  /** The sound is something else, and is dropped. */
  wrongCodec?: boolean;
  /**
   * Packets whose time stamp is not where the one before ended (RFC 7587 §4.2), by more than jitter, but for those that
   * end a silence.
   */
  timestampBreaks?: number;
  /** Packets of the source that never came. */
  lost?: number;
}

/** Monotonic counters of one leg since the stream was added. */
export interface LegCounters {
  packetsIn: number;
  bytesIn: number;
  packetsOut: number;
  bytesOut: number;
  /** Datagrams that did not become packets, by reason, and packets that viewers did not get, by reason. */
  dropped: Record<string, number>;
}

export interface StreamSnapshot {
  id: string;
  facts: StreamFacts;
  video?: LegCounters;
  audio?: LegCounters;
  viewers: number;
  nacks: number;
  retransmissions: number;
  /** PLI and FIR received from viewers. */
  keyframeRequests: number;
  warnings: { code: string; text: string }[];
}

/** Cumulative counts for each upper bound (seconds or units), the sum and the count: a Prometheus histogram. */
export interface HistogramSnapshot {
  bounds: number[];
  counts: number[];
  sum: number;
  count: number;
}

export interface EngineSnapshot {
  /** UDP sockets open for media, legs included. */
  udpPorts: number;
  /**
   * Since the process began: datagrams given to the system, those of them that went past libdatachannel, in how many
   * calls, and what the system did not take.
   */
  sends?: { datagrams: number; direct: number; calls: number; dropped: number };
  /** What peers sent in vain since the engine began, by reason: datagrams, and RTCP that was decrypted. */
  refused?: Record<string, number>;
  streams: StreamSnapshot[];
  shards: { viewers: number; queueDepth: number }[];
  /** What this engine does not do, in words; absent when it does everything. */
  limits?: readonly string[];
  histograms: {
    iceSeconds: HistogramSnapshot;
    dtlsSeconds: HistogramSnapshot;
    firstKeyframeSeconds: HistogramSnapshot;
    fanoutLatencySeconds: HistogramSnapshot;
    sendBatchPackets: HistogramSnapshot;
    /** Messages to the kernel that a picture took for each viewer; with GSO one can hold many packets. */
    frameMessages: HistogramSnapshot;
    rttSeconds: HistogramSnapshot;
    lossRatio: HistogramSnapshot;
  };
}

/** Detail of one viewer, for the admin API. */
export interface ViewerSnapshot {
  id: string;
  stream: string;
  state: 'connecting' | 'waiting-for-keyframe' | 'playing';
  ageSeconds: number;
  packetsOut: number;
  bytesOut: number;
  retransmissions: number;
  /** From the newest receiver report; absent before the first. */
  rttSeconds?: number;
  lossRatio?: number;
  jitterSeconds?: number;
  /** `local -> remote`, once chosen. */
  candidatePair?: string;
}

/** What a session carried in all: sent to a viewer, or received from a publisher. */
export interface SessionTotals {
  packets: number;
  bytes: number;
  /** What a viewer reports as lost of its media, 0 to 1; absent without a report. */
  lossRatio?: number;
}

export interface MediaEngine {
  readonly kind: 'native' | 'portable' | 'fake';
  /** Opens the ingress. Rejects with `address-in-use` when a port is taken. */
  addStream(spec: StreamSpec): Promise<StreamPorts>;
  /** Closes the ingress; its viewers end with the hub's `removeSession` calls. */
  removeStream(id: string): Promise<void>;
  /** Undefined for an unknown stream. */
  facts(stream: string): StreamFacts | undefined;
  /** Hands one frame to a `push` stream: false when it was refused, as the engine is behind or has failed. Microseconds. */
  push(stream: string, leg: LegKind, data: Uint8Array, timestamp: number): boolean;
  /** Rejects with `engine-timeout`, `engine-failed` or `invalid-offer`. */
  addViewer(spec: ViewerSpec): Promise<Transport>;
  addPublisher(spec: PublisherSpec): Promise<Transport>;
  /** Makes a session whose answer is yet to come. Its id is that of events and of `removeSession`. */
  offerPull(spec: PullSpec): Promise<Transport>;
  /** Gives it the answer, reduced to what was offered, in which `legs` are accepted. Rejects with `invalid-answer`. */
  acceptAnswer(session: string, answer: string, legs: AnsweredLeg[]): Promise<void>;
  /**
   * `candidate` without the `a=` (RFC 8839 §5.1). False when it could not be used. Those of one session are used in the
   * order in which they are given; one waits while the session's port is busy.
   */
  addCandidate(session: string, mid: string, candidate: string): Promise<boolean>;
  /** Ends a viewer or publisher; unknown ids are ignored. Resolves when its media has stopped, with what it carried. */
  removeSession(session: string): Promise<SessionTotals | undefined>;
  /** Waits for nothing that the network could hold up, as `viewers` does not. */
  snapshot(): EngineSnapshot;
  viewers(): ViewerSnapshot[];
  /** One listener; called with batches that are bounded in size and rate. Never keeps the process alive. */
  onEvents(listener: (events: EngineEvent[]) => void): void;
  /**
   * Ends every session and thread; a second call waits for the first. What is under way is waited for, and what comes
   * later rejects with `closing`. The process can exit by itself afterwards.
   */
  close(): Promise<void>;
}

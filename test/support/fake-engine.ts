import { AUDIO_CODECS, type Codec, VIDEO_CODECS } from '../../src/engine/codecs.ts';
import type {
  AnsweredLeg,
  AudioFacts,
  EngineEvent,
  EngineSnapshot,
  HistogramSnapshot,
  LegKind,
  MediaEngine,
  MediaLine,
  PublisherSpec,
  PullSpec,
  SessionTotals,
  StreamFacts,
  StreamPorts,
  StreamSnapshot,
  StreamSpec,
  Transport,
  VideoFacts,
  ViewerSnapshot,
  ViewerSpec,
} from '../../src/engine/port.ts';

/** What a test may have the engine do; each may be changed at any time. */
export interface Script {
  /** Runs before a stream is added; may reject. */
  addStream?: (spec: StreamSpec) => Promise<void>;
  /** Runs before a viewer or publisher gets its transport; may wait or reject. */
  addPeer?: (spec: ViewerSpec | PublisherSpec) => Promise<void>;
  /** Runs before a pull connects; may wait for ever. */
  acceptAnswer?: (session: string) => Promise<void>;
  /** Runs before a candidate is used; may wait for ever. */
  addCandidate?: (session: string) => Promise<void>;
  removeSession?: (session: string) => Promise<void>;
  /** Runs before a stream's ingress closes; may wait or reject. */
  removeStream?: (stream: string) => Promise<void>;
  /** Runs before the engine closes; may wait or reject. */
  close?: () => Promise<void>;
  /** Changes the snapshot before it is given out. */
  snapshot?: (snapshot: EngineSnapshot) => EngineSnapshot;
}

export const LIVE: StreamFacts = { video: videoOf(), audio: audioOf() };

/** A media engine without media: it records what it is told, and does what the test's script says. */
export class FakeEngine implements MediaEngine {
  readonly kind = 'fake';
  readonly streams = new Map<string, { spec: StreamSpec; facts: StreamFacts }>();
  readonly peers = new Map<string, ViewerSpec | PublisherSpec>();
  /** The sessions among the peers that publish, in the order in which they came. */
  readonly publishers = new Set<string>();
  readonly pulls = new Map<string, { spec: PullSpec; answer?: string; legs?: AnsweredLeg[] }>();
  readonly candidates: { session: string; mid: string; candidate: string }[] = [];
  readonly pushed: { stream: string; leg: LegKind; data: Uint8Array; timestamp: number }[] = [];
  script: Script;
  snapshots = 0;
  closed = false;
  #listener: (events: EngineEvent[]) => void = () => {};
  #port = 40000;

  constructor(script: Script = {}) {
    this.script = script;
  }

  /** Tells the server what happened. */
  emit(...events: EngineEvent[]): void {
    this.#listener(events);
  }

  /** Starts or silences a leg, facts and event alike; of another codec it ends who was promised the one before. */
  leg(stream: string, leg: LegKind, active: boolean, codec?: Codec): void {
    const entry = this.streams.get(stream);
    if (entry === undefined) throw new Error(`the engine has no stream ${stream}`);
    const { video, audio } = entry.facts;
    entry.facts = {
      ...entry.facts,
      ...(leg === 'video' && { video: { ...videoOf(codec ?? video?.codec), ...sameCodec(video, codec), active } }),
      ...(leg === 'audio' && { audio: { ...audioOf(codec ?? audio?.codec), ...sameCodec(audio, codec), active } }),
    };
    if (codec !== undefined) this.#endOthers(stream, leg, codec);
    this.emit(active ? { type: 'leg-active', stream, leg } : { type: 'leg-inactive', stream, leg, reason: 'silent' });
  }

  #endOthers(stream: string, leg: LegKind, codec: Codec): void {
    for (const [session, peer] of this.peers) {
      const promised = peer.media.find(({ kind }) => kind === leg)?.codec ?? codec;
      if (peer.stream !== stream || promised === codec || this.publishers.has(session)) continue;
      this.emit({ type: 'session-ended', session, reason: 'codec-changed' });
    }
  }

  async addStream(spec: StreamSpec): Promise<StreamPorts> {
    await this.script.addStream?.(spec);
    const { ingress } = spec;
    // A clip plays at once; whatever comes from outside is awaited.
    this.streams.set(spec.id, { spec, facts: ingress.kind === 'clip' ? LIVE : idle(ingress) });
    if (ingress.kind === 'clip') {
      for (const leg of ['video', 'audio'] as const) this.emit({ type: 'leg-active', stream: spec.id, leg });
    }
    if (ingress.kind !== 'rtp') return {};
    const { video, audio } = ingress;
    return {
      ...(video && { video: video.port || this.#freePort() }),
      ...(audio && { audio: audio.port || this.#freePort() }),
    };
  }

  async removeStream(id: string): Promise<void> {
    await this.script.removeStream?.(id);
    this.streams.delete(id);
  }

  facts(stream: string): StreamFacts | undefined {
    return this.streams.get(stream)?.facts;
  }

  push(stream: string, leg: LegKind, data: Uint8Array, timestamp: number): boolean {
    this.pushed.push({ stream, leg, data, timestamp });
    return true;
  }

  addViewer(spec: ViewerSpec): Promise<Transport> {
    return this.#addPeer(spec);
  }

  async addPublisher(spec: PublisherSpec): Promise<Transport> {
    const transport = await this.#addPeer(spec);
    this.publishers.add(spec.id);
    // It may have been removed meanwhile.
    if (this.streams.has(spec.stream)) {
      for (const { kind, codec } of spec.media) this.leg(spec.stream, kind, true, codec);
    }
    return transport;
  }

  async offerPull(spec: PullSpec): Promise<Transport> {
    this.pulls.set(spec.id, { spec });
    return { description: localDescription('', spec.media, 'actpass') };
  }

  /** Connects at once and delivers, as a pull on loopback does. */
  async acceptAnswer(session: string, answer: string, legs: AnsweredLeg[]): Promise<void> {
    const pull = this.pulls.get(session);
    if (pull === undefined) throw new Error(`the engine has no pull ${session}`);
    Object.assign(pull, { answer, legs });
    await this.script.acceptAnswer?.(session);
    this.emit({ type: 'session-connected', session });
    for (const { kind, codec } of legs) this.leg(pull.spec.stream, kind, true, codec);
  }

  async addCandidate(session: string, mid: string, candidate: string): Promise<boolean> {
    this.candidates.push({ session, mid, candidate });
    await this.script.addCandidate?.(session);
    return true;
  }

  async removeSession(session: string): Promise<SessionTotals | undefined> {
    await this.script.removeSession?.(session);
    const pull = this.pulls.get(session);
    this.pulls.delete(session);
    for (const { kind } of pull?.legs ?? []) this.leg(pull?.spec.stream ?? '', kind, false);
    const peer = this.peers.get(session);
    if (peer === undefined) return undefined;
    this.peers.delete(session);
    if (!this.publishers.delete(session)) return { packets: 400, bytes: 400_000, lossRatio: 0.0125 };
    const others = [...this.publishers].some((id) => this.peers.get(id)?.stream === peer.stream);
    // The newest feeds the stream.
    if (this.streams.has(peer.stream) && !others) {
      for (const { kind } of peer.media) this.leg(peer.stream, kind, false);
    }
    return { packets: 300, bytes: 300_000 };
  }

  snapshot(): EngineSnapshot {
    this.snapshots++;
    const snapshot: EngineSnapshot = {
      udpPorts: 1,
      sends: { datagrams: 0, direct: 0, calls: 0, dropped: 0 },
      refused: { 'unknown-address': 0 },
      streams: [...this.streams].map(([id, { facts }]) => streamSnapshot(id, facts)),
      shards: [{ viewers: this.peers.size, queueDepth: 0 }],
      histograms: {
        iceSeconds: histogram(),
        dtlsSeconds: histogram(),
        firstKeyframeSeconds: histogram(),
        fanoutLatencySeconds: histogram(),
        sendBatchPackets: histogram(),
        frameMessages: histogram(),
        rttSeconds: histogram(),
        lossRatio: histogram(),
      },
    };
    return this.script.snapshot?.(snapshot) ?? snapshot;
  }

  viewers(): ViewerSnapshot[] {
    return [...this.peers.values()].map(({ id, stream }) => ({
      id,
      stream,
      state: 'connecting',
      ageSeconds: 1,
      packetsOut: 100,
      bytesOut: 100_000,
      retransmissions: 0,
    }));
  }

  onEvents(listener: (events: EngineEvent[]) => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    await this.script.close?.();
    this.closed = true;
  }

  #freePort(): number {
    this.#port += 2;
    return this.#port;
  }

  async #addPeer(spec: ViewerSpec | PublisherSpec): Promise<Transport> {
    await this.script.addPeer?.(spec);
    this.peers.set(spec.id, spec);
    return { description: localDescription(spec.offer, spec.media) };
  }
}

/** A local description in the shape libdatachannel gives it: transport at session level, candidates in the first section. */
function localDescription(
  offer: string,
  media: Pick<MediaLine, 'mid' | 'description'>[],
  setup = /^a=setup:passive/m.test(offer) ? 'active' : 'passive',
): string {
  const fingerprint = Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) =>
    byte.toString(16).padStart(2, '0').toUpperCase(),
  ).join(':');
  const lines = [
    'v=0',
    'o=rtc 1495799811084970 0 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${media.map(({ mid }) => mid).join(' ')}`,
    'a=msid-semantic:WMS *',
    'a=ice-options:ice2,trickle',
    'a=ice-ufrag:8hhY',
    'a=ice-pwd:asd88fgpdd777uzjYhagZg',
    `a=setup:${setup}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    ...media.flatMap(({ description }, index) => [
      ...description.trim().split(/\r?\n/),
      ...(index === 0
        ? [
            'a=candidate:1 1 UDP 2122317823 127.0.0.1 50000 typ host',
            'a=candidate:2 1 UDP 2122317567 ::1 50000 typ host',
          ]
        : []),
      'a=end-of-candidates',
    ]),
  ];
  return `${lines.join('\r\n')}\r\n`;
}

/** What is known of video once its first keyframe has come. */
function videoOf(codec: Codec = 'h264'): VideoFacts {
  const known = VIDEO_CODECS.find((each) => each === codec) ?? 'h264';
  const sizes = { width: 640, height: 360, framesPerSecond: 30 };
  const parameters = known === 'h264' ? { 'profile-level-id': '42c01f' } : {};
  return { active: true, codec: known, parameters, ...sizes, bFrames: false };
}

function audioOf(codec: Codec = 'opus'): AudioFacts {
  const known = AUDIO_CODECS.find((each) => each === codec) ?? 'opus';
  return { active: true, codec: known, channels: known === 'opus' ? 2 : 1 };
}

/** What was known before, unless it was of another codec. */
function sameCodec<Facts extends { codec: Codec }>(facts: Facts | undefined, codec: Codec | undefined): Facts | object {
  return facts !== undefined && (codec === undefined || codec === facts.codec) ? facts : {};
}

function idle(ingress: StreamSpec['ingress']): StreamFacts {
  const legs = 'legs' in ingress ? ingress.legs : legsOf(ingress);
  return {
    ...(legs.includes('video') && { video: { active: false, codec: 'h264', bFrames: false } }),
    ...(legs.includes('audio') && { audio: { active: false, codec: 'opus' } }),
  };
}

function legsOf(ingress: StreamSpec['ingress']): LegKind[] {
  return (['video', 'audio'] as const).filter((leg) => leg in ingress);
}

function streamSnapshot(id: string, facts: StreamFacts): StreamSnapshot {
  const counters = { packetsIn: 1000, bytesIn: 1_000_000, packetsOut: 2000, bytesOut: 2_000_000, dropped: { late: 3 } };
  return {
    id,
    facts,
    ...(facts.video && { video: counters }),
    ...(facts.audio && { audio: counters }),
    viewers: 0,
    nacks: 5,
    retransmissions: 4,
    keyframeRequests: 2,
    warnings: [],
  };
}

function histogram(): HistogramSnapshot {
  return { bounds: [0.1, 1], counts: [1, 3], sum: 1.5, count: 4 };
}

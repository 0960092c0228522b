import { type Bitrate, Bitrates } from './bitrates.ts';
import type { EngineSnapshot, LegCounters, MediaEngine, StreamPorts, StreamSnapshot } from './engine/port.ts';
import { carried } from './entry.ts';
import type { Description } from './sdp/codecs/codec.ts';
import { VIDEO } from './sdp/codecs/table.ts';
import type { SessionTable } from './sessions.ts';
import type { Source, SourceKind, SourceReport } from './sources/source.ts';
import type { StreamState, StreamTable } from './streams.ts';

/** One look at everything; statistics and metrics are read from it and from nothing else. */
export interface Snapshot {
  engine: EngineSnapshot;
  engineKind: MediaEngine['kind'];
  uptimeSeconds: number;
  viewers: number;
  publishers: number;
  streams: StreamStatus[];
}

export interface StreamStatus {
  id: string;
  state: StreamState;
  source: SourceKind;
  /** The source in words, secrets masked. */
  description: string;
  /** What the source itself knows of how it is doing. */
  report: SourceReport;
  ports: StreamPorts;
  viewers: number;
  publishers: number;
  /** What the engine knows of it; absent while it is being added. */
  media: StreamSnapshot | undefined;
  /** What its parameters say of the video, in words; nothing before they are known. */
  described: Description;
  bitrate: Bitrate;
  /** Packets by the reason for which they were dropped, both legs together. */
  drops: Record<string, number>;
  /** In words, each with its cure. */
  warnings: string[];
}

/** Takes snapshots; between them it remembers only what rates need. */
export class Observer {
  readonly #engine: MediaEngine;
  readonly #streams: StreamTable;
  readonly #sessions: SessionTable;
  readonly #bitrates = new Bitrates();
  readonly #since = performance.now();

  constructor(engine: MediaEngine, streams: StreamTable, sessions: SessionTable) {
    this.#engine = engine;
    this.#streams = streams;
    this.#sessions = sessions;
  }

  snapshot(): Snapshot {
    const now = performance.now();
    const engine = this.#engine.snapshot();
    const media = new Map(engine.streams.map((stream) => [stream.id, stream]));
    const publishing = new Set(
      [...this.#sessions].filter(({ kind }) => kind === 'publisher').map(({ stream }) => stream),
    );
    return {
      engine,
      engineKind: this.#engine.kind,
      uptimeSeconds: (now - this.#since) / 1000,
      viewers: this.#sessions.viewers,
      publishers: this.#sessions.publishers,
      streams: [...this.#streams].map((stream) => {
        const known = withLegsOf(stream.source, media.get(stream.id));
        const { codec, parameters } = known?.facts.video ?? {};
        return {
          id: stream.id,
          state: this.#streams.state(stream.id),
          source: stream.source.kind,
          description: stream.source.describe(),
          report: stream.source.report?.() ?? {},
          ports: stream.ports,
          viewers: this.#sessions.viewersOf(stream.id),
          publishers: publishing.has(stream.id) ? 1 : 0,
          media: known,
          described: codec && parameters ? VIDEO[codec].describe(parameters) : {},
          bitrate: known ? this.#bitrates.measure(known, stream.since, now) : { in: 0, out: 0 },
          drops: drops(known),
          warnings: [...(known?.warnings.map(({ text }) => text) ?? []), ...stream.warnings],
        };
      }),
    };
  }

  forget(stream: string): void {
    this.#bitrates.forget(stream);
  }
}

function withLegsOf(source: Source, media: StreamSnapshot | undefined): StreamSnapshot | undefined {
  return media && { ...media, facts: carried(media.facts, source.legs?.()) };
}

function drops(media: StreamSnapshot | undefined): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const leg of [media?.video, media?.audio] satisfies (LegCounters | undefined)[]) {
    for (const [reason, packets] of Object.entries(leg?.dropped ?? {})) sums[reason] = (sums[reason] ?? 0) + packets;
  }
  return sums;
}

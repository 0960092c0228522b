import type { LegKind, StreamFacts, StreamPorts } from './engine/port.ts';
import type { Feed } from './feed.ts';
import { randomId } from './random.ts';
import type { Source } from './sources/source.ts';

export interface Stream {
  readonly id: string;
  readonly source: Source;
  readonly ports: StreamPorts;
  /** `performance.now()` of its addition. */
  readonly since: number;
  /** Names it among the streams of all servers: see `Puller`. */
  readonly mark: string;
  /** What negotiations with its viewers had to put up with; the first few. */
  readonly warnings: ReadonlySet<string>;
}

export interface Leg {
  phase: 'active' | 'silent' | 'failed';
  grace?: NodeJS.Timeout;
}

/** Each new kind of client may bring a warning of its own; these many are kept. */
const MAX_WARNINGS = 8;

/** A stream in the table. */
export class Entry implements Stream {
  readonly since = performance.now();
  readonly mark = randomId();
  readonly warnings = new Set<string>();
  readonly legs = new Map<LegKind, Leg>();
  readonly id: string;
  readonly feed: Feed;
  /** Nothing will come of it any more. */
  failed = false;
  /** The way out, once it is on it. */
  departure?: Promise<void> | undefined;

  constructor(id: string, feed: Feed) {
    this.id = id;
    this.feed = feed;
  }

  get source(): Source {
    return this.feed.source;
  }

  get ports(): StreamPorts {
    return this.feed.ports;
  }

  get leaving(): boolean {
    return this.feed.leaving.aborted;
  }

  get flows(): boolean {
    return [...this.legs.values()].some((leg) => leg.phase === 'active');
  }

  warn(warning: string): void {
    if (this.warnings.size < MAX_WARNINGS) this.warnings.add(warning);
  }
}

/** The facts without legs that nothing will ever come of. */
export function carried({ video, audio }: StreamFacts, legs: readonly LegKind[] = ['video', 'audio']): StreamFacts {
  return {
    ...(video && legs.includes('video') && { video }),
    ...(audio && legs.includes('audio') && { audio }),
  };
}

/** A video leg counts once its parameters are known: nothing could be negotiated before. */
export function delivers({ video, audio }: StreamFacts): boolean {
  return (video?.active === true && video.parameters !== undefined) || audio?.active === true;
}

import { loadAddon } from '../../engine/addon.ts';
import type { VideoCodec } from '../../engine/codecs.ts';

/** The load generator in the addon (native/addon/src/load.rs). Times are in milliseconds. */
export interface Load {
  /** Sends the stream to these ports of the server's loopback until `close`; a leg without one is left out. */
  send(video: number | undefined, audio: number | undefined): void;
  /** The same to a WHIP endpoint; resolves when media flows. */
  publish(url: string): Promise<void>;
  /** Packets of the stream sent so far. */
  sent(): number;
  join(joining: { url: string; viewers: number; over: number; group: number }): Promise<Joined>;
  /**
   * Since each viewer's POST: its connection, its first keyframe, or first sound where there are no pictures. `profiles`:
   * the SRTP profiles of those that are connected, each once.
   */
  arrivals(group: number): {
    connected: number;
    connections: number[];
    firstKeyframes: number[];
    profiles: string[];
  };
  sample(group: number): Sample;
  /** The first viewers of a group leave, or all. */
  leave(group: number, count?: number): Promise<void>;
  close(): Promise<void>;
}

export interface Joined {
  posts: number[];
  failures: string[];
}

/** Counts since each viewer joined; latencies since the last sample. */
export interface Sample {
  packets: number;
  lost: number;
  reordered: number;
  duplicates: number;
  stamps: number;
  latencyP50: number;
  latencyP99: number;
  latencyMax: number;
}

/** What is sent, and what viewers ask for. */
export interface Programme {
  framesPerSecond: number;
  /** Up to 8. */
  packetsPerFrame: number;
  /** Undefined: sound alone. */
  video: VideoCodec | undefined;
  audio: boolean;
}

/** 720p at 2 Mbit/s with sound. */
export const PROGRAMME: Programme = { framesPerSecond: 30, packetsPerFrame: 8, video: 'h264', audio: true };

export interface LoadConfig {
  programme: Programme;
  /** Where viewers are: an address of this process's network; loopback by default. */
  host?: string;
  /** A process in the server's network, when that is another one. */
  server?: number;
  /** The one SRTP profile that viewers offer and the floor has, as IANA registers it; by default viewers offer all. */
  profile?: string;
}

interface LoadAddon {
  NativeLoad: new (config: LoadConfig) => Load;
  measureFloor(config: {
    viewers: number;
    load: LoadConfig;
    milliseconds: number;
    gathered: boolean;
  }): Promise<{ sent: number; received: number; cpu: number }>;
}

/** Nothing is sent, and nobody watches. Throws `engine-unavailable`. */
export function openLoad(config: Partial<LoadConfig> = {}): Load {
  const { NativeLoad } = loadAddon<LoadAddon>();
  return new NativeLoad({ programme: PROGRAMME, ...config });
}

/** Microseconds on a processor for `viewers`, and how many packets were taken for that. */
export function measureFloor(
  viewers: number,
  load: LoadConfig,
  gathered: boolean,
): Promise<{ sent: number; cpu: number }> {
  const config = { viewers, load, milliseconds: FLOOR_MILLISECONDS, gathered };
  return loadAddon<LoadAddon>().measureFloor(config);
}

/** Long enough for a figure that comes back within a few per cent. */
const FLOOR_MILLISECONDS = 3_000;

import { loadAddon } from '../../engine/addon.ts';

/** The load generator in the addon (native/addon/src/load.rs). Times are in milliseconds. */
export interface Load {
  /** Sends the stream to these ports until `close`. */
  send(framesPerSecond: number, video: number, audio?: number): void;
  /** The same to a WHIP endpoint; resolves when media flows. */
  publish(framesPerSecond: number, url: string): Promise<void>;
  /** Packets of the stream sent so far. */
  sent(): number;
  join(joining: { url: string; viewers: number; over: number; group: number }): Promise<Joined>;
  /** `profiles`: the SRTP profiles of those that are connected, each once. */
  arrivals(group: number): { connected: number; firstKeyframes: number[]; profiles: string[] };
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

interface LoadAddon {
  NativeLoad: new (host?: string, profile?: string) => Load;
  measureFloor(config: {
    viewers: number;
    framesPerSecond: number;
    milliseconds: number;
    gathered: boolean;
  }): Promise<{ sent: number; received: number; cpu: number }>;
}

/**
 * Nothing is sent, and nobody watches. Viewers bind to `host`, loopback by default, and offer the SRTP profile of this name,
 * as IANA registers it, or all of them. Throws `engine-unavailable`.
 */
export function openLoad(host?: string, profile?: string): Load {
  const { NativeLoad } = loadAddon<LoadAddon>();
  return new NativeLoad(host, profile);
}

/** Microseconds a packet for encrypting and sending without WebRTC, to as many sockets. */
export interface Floor {
  gso: number;
  sendto: number;
}

/** Long enough for a figure that comes back within a few per cent. */
const FLOOR_MILLISECONDS = 3_000;

const floors = new Map<number, Promise<Floor>>();

/** Measured once for each number of viewers: what is compared stands on one floor. */
export function floorFor(viewers: number, framesPerSecond: number): Promise<Floor> {
  const floor = floors.get(viewers) ?? measureFloor(viewers, framesPerSecond);
  floors.set(viewers, floor);
  return floor;
}

async function measureFloor(viewers: number, framesPerSecond: number): Promise<Floor> {
  const perPacket = async (gathered: boolean) => {
    const config = { viewers, framesPerSecond, milliseconds: FLOOR_MILLISECONDS, gathered };
    const { sent, cpu } = await loadAddon<LoadAddon>().measureFloor(config);
    return cpu / sent;
  };
  return { gso: await perPacket(true), sendto: await perPacket(false) };
}

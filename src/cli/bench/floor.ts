import type { Cable } from './cable.ts';
import { type LoadConfig, measureFloor } from './load.ts';

/** Encrypting and sending without WebRTC, to as many sockets, by the way that the server's packets take. */
export interface Floor {
  /** Microseconds a packet. */
  gso: number;
  sendto: number;
  /** Of a packet that the cable brought, with its IP header. Absent: there is no cable. */
  bytesPerPacket: number | undefined;
}

const floors = new Map<string, Promise<Floor>>();

/**
 * Measured once for each number of viewers and profile: what is compared stands on one floor. Undefined where viewers have several
 * profiles, or one that the floor cannot protect by: those without AES-GCM.
 */
export function floorFor(
  viewers: number,
  load: LoadConfig,
  profiles: readonly string[],
  cable: Cable | undefined,
): Promise<Floor> | undefined {
  const [profile, other] = profiles;
  if (profile === undefined || other !== undefined || !profile.endsWith('_GCM')) return undefined;
  const name = `${viewers} ${profile}`;
  const floor = floors.get(name) ?? floorOf(viewers, { ...load, profile }, cable);
  floors.set(name, floor);
  return floor;
}

async function floorOf(viewers: number, load: LoadConfig, cable: Cable | undefined): Promise<Floor> {
  const before = cable?.arrived().media;
  const gathered = await measureFloor(viewers, load, true);
  const after = cable?.arrived().media;
  const single = await measureFloor(viewers, load, false);
  return {
    gso: gathered.cpu / gathered.sent,
    sendto: single.cpu / single.sent,
    bytesPerPacket: before && after && (after.bytes - before.bytes) / (after.packets - before.packets),
  };
}

import type { LegKind } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import type { Source } from './source.ts';

/** Bytes. A picture of 4 MiB is none; an Opus packet has to fit into one datagram (RFC 7587 §4.2). */
const LARGEST: Readonly<Record<LegKind, number>> = { video: 4 << 20, audio: 1182 };

/** Frames that the program itself hands over with `server.streams.push`. */
export function pushSource(legs: readonly LegKind[]): Source {
  return {
    kind: 'push',
    ingress: { kind: 'push', legs: [...legs] },
    start: async () => {},
    stop: async () => {},
    describe: () => 'push',
  };
}

/** Holds a frame to what `push` says of it; the program may be JavaScript. Throws `bad-request`. */
export function checkFrame(leg: LegKind, data: Uint8Array, timestamp: number): void {
  if (leg !== 'video' && leg !== 'audio') throw refused(`the leg ${JSON.stringify(leg)}`, 'give "video" or "audio"');
  if (!(data instanceof Uint8Array)) throw refused('the data', 'give a Uint8Array');
  if (!(data.buffer instanceof ArrayBuffer)) throw refused('the data', 'copy it out of shared memory first');
  if (data.length === 0) throw refused('the data', 'it is empty: give a whole frame');
  if (data.length > LARGEST[leg]) {
    throw refused(`a frame of ${data.length} bytes`, `give at most ${LARGEST[leg]} for ${leg}`);
  }
  if (!Number.isFinite(timestamp) || timestamp < 0 || timestamp > Number.MAX_SAFE_INTEGER) {
    throw refused(`the timestamp ${timestamp}`, 'give microseconds, a finite number of at least 0');
  }
}

function refused(what: string, cure: string): Failure {
  return new Failure('bad-request', `push cannot take ${what}: ${cure}`);
}

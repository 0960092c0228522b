import type { AudioCodec, Codec } from '../engine/codecs.ts';
import type { Ingress, LegKind, LegSpec } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import type { PushSpec } from './push/spec.ts';
import type { Source } from './source.ts';

/** Bytes. A picture of 4 MiB is none. */
const LARGEST_PICTURE = 4 << 20;
/** Bytes. An Opus packet has to fit into one datagram (RFC 7587 §4.2); a second of the others is cut as is needed. */
const LARGEST_SOUND: Readonly<Partial<Record<Codec, number>>> = {
  opus: 1182,
  multiopus: 1182,
  g722: 8000,
  pcmu: 8000,
  pcma: 8000,
};

/** What a `push` stream takes. */
type Legs = Pick<Ingress & { kind: 'push' }, LegKind>;

/** Frames that the program itself hands over with `server.streams.push`. */
export function pushSource({ video, audio }: PushSpec): Source {
  return {
    kind: 'push',
    ingress: { kind: 'push', ...(video && { video: { codec: video } }), ...(audio && { audio: legOf(audio) }) },
    start: async () => {},
    stop: async () => {},
    describe: () => 'push',
  };
}

function legOf({ codec, channels }: { codec: AudioCodec; channels?: number | undefined }): LegSpec {
  return { codec, ...(codec === 'multiopus' && channels !== undefined && { channels }) };
}

/** Holds a frame to what `push` says of it; the program may be JavaScript. Throws `bad-request`. */
export function checkFrame(legs: Legs, leg: LegKind, data: Uint8Array, timestamp: number): void {
  if (leg !== 'video' && leg !== 'audio') throw refused(`the leg ${JSON.stringify(leg)}`, 'give "video" or "audio"');
  const { codec } = legs[leg] ?? {};
  if (codec === undefined) throw refused(leg, `the stream has no ${leg}: name it in its source`);
  if (!(data instanceof Uint8Array)) throw refused('the data', 'give a Uint8Array');
  if (!(data.buffer instanceof ArrayBuffer)) throw refused('the data', 'copy it out of shared memory first');
  if (data.length === 0) throw refused('the data', 'it is empty: give a whole frame');
  const largest = LARGEST_SOUND[codec] ?? LARGEST_PICTURE;
  if (data.length > largest) throw refused(`a frame of ${data.length} bytes`, `give at most ${largest} for ${leg}`);
  if (!Number.isFinite(timestamp) || timestamp < 0 || timestamp > Number.MAX_SAFE_INTEGER) {
    throw refused(`the timestamp ${timestamp}`, 'give microseconds, a finite number of at least 0');
  }
}

function refused(what: string, cure: string): Failure {
  return new Failure('bad-request', `push cannot take ${what}: ${cure}`);
}

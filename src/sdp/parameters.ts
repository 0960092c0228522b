import { Buffer } from 'node:buffer';
import type { Codec } from '../engine/codecs.ts';

/** Names in lower case. */
export type Parameters = ReadonlyMap<string, string>;

/** Where parameter sets are told (RFC 6184 §8.1, RFC 7798 §7.1), in the order in which they refer to each other. */
const SETS: Readonly<Partial<Record<Codec, readonly string[]>>> = {
  h264: ['sprop-parameter-sets'],
  h265: ['sprop-vps', 'sprop-sps', 'sprop-pps'],
};

/** More is no stream that a camera or an encoder makes. The second is in characters. */
const MAX_SETS = 64;
const MAX_SET = 4096;

/** RFC 4648 §4; some leave the padding away. */
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Why what is sent with these parameters cannot be received; undefined when it can. */
export function parameterFault(codec: Codec, parameters: Parameters): string | undefined {
  // RFC 6184 §6.2: units in another order than they are decoded. RFC 7798 §4.5, and streams over several sessions.
  if (codec === 'h264' && parameters.get('packetization-mode') === '2') {
    return 'packetization-mode 2 cannot be received: have it sent with 1 or 0';
  }
  if (codec === 'h265' && Number(parameters.get('sprop-max-don-diff') ?? 0) !== 0) {
    return 'sprop-max-don-diff above 0 cannot be received: have it sent in the order of decoding';
  }
  if (codec === 'h265' && (parameters.get('tx-mode') ?? 'SRST').toUpperCase() !== 'SRST') {
    return 'tx-mode other than SRST cannot be received: have it sent as one stream';
  }
  const sets = texts(codec, parameters);
  if (sets.length > MAX_SETS) return `there are more than ${MAX_SETS} parameter sets`;
  if (!sets.every((set) => BASE64.test(set) && set.length <= MAX_SET)) {
    return `${SETS[codec]?.join(', ')}: a parameter set is base64, of at most ${MAX_SET} characters`;
  }
  return undefined;
}

/** The parameter sets among them, one NAL unit each; of parameters without fault. */
export function parameterSets(codec: Codec, parameters: Parameters): Uint8Array[] {
  return texts(codec, parameters).map((text) => new Uint8Array(Buffer.from(text, 'base64')));
}

/** What is empty stands for none: some end their lists with a comma. */
function texts(codec: Codec, parameters: Parameters): string[] {
  const names = SETS[codec] ?? [];
  return names.flatMap((name) => (parameters.get(name) ?? '').split(',').map((text) => text.trim())).filter(Boolean);
}

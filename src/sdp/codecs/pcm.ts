import type { AudioCodec } from '../../engine/codecs.ts';
import type { Format } from '../formats.ts';
import { type AudioNegotiation, ofCodec } from './codec.ts';

export const g722 = sampled('g722');
export const pcmu = sampled('pcmu');
export const pcma = sampled('pcma');

/** RFC 3551 §4.5: one channel, and no parameters. */
function sampled(name: AudioCodec): AudioNegotiation {
  const receive = (formats: Format[]) => {
    const format = ofCodec(formats, name).find(({ channels = 1 }) => channels === 1);
    return format && { format, config: '' };
  };
  return {
    name,
    choose(formats) {
      const choice = receive(formats);
      return choice ? { choice } : {};
    },
    receive,
    offer: () => [{ config: '' }],
  };
}

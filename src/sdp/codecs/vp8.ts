import { ofCodec, type VideoNegotiation, withinSize } from './codec.ts';

/** RFC 7741 §6: all of a stream is in its keyframes, and its parameters are limits of the receiver. */
export const vp8: VideoNegotiation = {
  name: 'vp8',
  choose(formats, facts) {
    const [format] = ofCodec(formats, 'vp8');
    return format ? withinSize({ choice: { format, config: '' } }, facts) : {};
  },
  receive(formats) {
    const [format] = ofCodec(formats, 'vp8');
    return format && { format, config: '' };
  },
  offer: () => [{ config: '' }],
  describe: () => ({}),
};

import type { Format } from '../formats.ts';
import { type AudioNegotiation, type Choice, ofCodec, repeated } from './codec.ts';

/** Streams, coupled streams and the mapping for so many channels, as Ogg has them (RFC 7845 §5.1.1.2). */
const LAYOUTS: ReadonlyMap<number, { streams: number; coupled: number; mapping: string }> = new Map([
  [3, { streams: 2, coupled: 1, mapping: '0,2,1' }],
  [4, { streams: 2, coupled: 2, mapping: '0,1,2,3' }],
  [5, { streams: 3, coupled: 2, mapping: '0,4,1,2,3' }],
  [6, { streams: 4, coupled: 2, mapping: '0,4,1,2,3,5' }],
  [7, { streams: 4, coupled: 3, mapping: '0,4,1,2,3,5,6' }],
  [8, { streams: 5, coupled: 3, mapping: '0,6,1,2,3,4,5,7' }],
]);

/** Opus of more than two channels, by the name and parameters that libwebrtc has for it; no RFC knows them. */
export const multiopus: AudioNegotiation = {
  name: 'multiopus',
  choose(formats, { channels }) {
    const choice = choices(formats).find((each) => each.channels === channels);
    return choice ? { choice } : {};
  },
  receive: (formats) => choices(formats)[0],
  offer: () =>
    [...LAYOUTS].map(([channels, { streams, coupled, mapping }]) => ({
      config: `channel_mapping=${mapping};coupled_streams=${coupled};num_streams=${streams}`,
      channels,
    })),
};

const REPEATED: ReadonlyMap<string, RegExp> = new Map([
  ['channel_mapping', /^[\d,]{5,15}$/],
  ['coupled_streams', /^\d$/],
  ['num_streams', /^\d$/],
  ['minptime', /^\d{1,3}$/],
  ['useinbandfec', /^[01]$/],
]);

/** Those whose layout is the one for their number of channels. */
function choices(formats: Format[]): (Choice & { channels: number })[] {
  return ofCodec(formats, 'multiopus').flatMap((format) => {
    const { channels = 0, parameters } = format;
    const layout = LAYOUTS.get(channels);
    const fits =
      parameters.get('channel_mapping') === layout?.mapping &&
      parameters.get('coupled_streams') === String(layout?.coupled) &&
      parameters.get('num_streams') === String(layout?.streams);
    return layout && fits ? [{ format, config: repeated(format, REPEATED), channels }] : [];
  });
}

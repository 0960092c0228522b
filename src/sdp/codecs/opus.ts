import type { Format } from '../formats.ts';
import { type AudioNegotiation, type Choice, ofCodec } from './codec.ts';

/** RFC 7587. */
export const opus: AudioNegotiation = {
  name: 'opus',
  channels: 2,
  choose(formats, { channels }) {
    const choice = choiceOf(formats, () => (channels === 1 ? [] : ['stereo=1', 'sprop-stereo=1']));
    return choice ? { choice } : {};
  },
  receive: (formats) =>
    choiceOf(formats, ({ parameters }) =>
      ['stereo', 'sprop-stereo'].some((name) => parameters.get(name) === '1') ? ['stereo=1'] : [],
    ),
  offer: () => [{ config: 'minptime=10;useinbandfec=1;stereo=1' }],
};

/** Parameters that the answer repeats, and their values (RFC 7587 §6.1); `minptime` is a habit of browsers. */
const PARAMETERS: ReadonlyMap<string, RegExp> = new Map([
  ['minptime', /^\d{1,3}$/],
  ['useinbandfec', /^[01]$/],
]);

/**
 * RFC 7587 §7: always two channels in the rtpmap; a missing number is forgiven. Nothing unknown is repeated (§7.1), and
 * stereo is said where there is some.
 */
function choiceOf(formats: Format[], stereo: (format: Format) => string[]): Choice | undefined {
  const format = ofCodec(formats, 'opus').find(({ channels = 2 }) => channels === 2);
  if (!format) return undefined;
  const kept = [...PARAMETERS].flatMap(([name, form]) => {
    const value = format.parameters.get(name);
    return value !== undefined && form.test(value) ? [`${name}=${value}`] : [];
  });
  return { format, config: [...kept, ...stereo(format)].join(';') };
}

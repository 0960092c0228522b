import type { OfferLine } from './offer.ts';
import { attributes, type Section } from './syntax.ts';

/** One offered RTP format of a line, with its parameters (RFC 8866 §6.6, §6.15). */
export interface Format {
  payloadType: number;
  /** Lower case: encoding names know no case (RFC 4855 §3). */
  codec: string;
  /** Hz. */
  clockRate: number;
  channels: number | undefined;
  parameters: ReadonlyMap<string, string>;
}

/**
 * The formats in the offer's order of preference (RFC 8829 §5.3.1); those without an rtpmap are of no use here.
 * `String`, because sdp-transform makes a number of every text that looks like one.
 */
export function formatsOf({ formats, tree, section }: OfferLine): Format[] {
  return formats.flatMap((format) => {
    const payloadType = Number(format);
    const map = tree.rtp.find(({ payload }) => payload === payloadType);
    if (!map) return [];
    return [
      {
        payloadType,
        codec: String(map.codec).toLowerCase(),
        clockRate: Number(map.rate),
        channels: map.encoding === undefined ? undefined : Number(map.encoding),
        parameters: readParameters(configOf(section, format)),
      },
    ];
  });
}

/** The format-specific parameters as written (RFC 8866 §6.15): sdp-transform would cut them at odd white space. */
export function configOf(section: Section, format: string): string {
  const found = attributes(section, 'fmtp').find(({ value }) => value?.startsWith(`${format} `));
  return found?.value?.slice(format.length + 1) ?? '';
}

/** `name=value` pairs between semicolons; names know no case (RFC 4855 §3). The first of a name counts. */
function readParameters(config: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of config.split(';')) {
    const [name = '', ...value] = pair.split('=');
    const key = name.trim().toLowerCase();
    if (!parameters.has(key)) parameters.set(key, value.join('=').trim());
  }
  return parameters;
}

/** The RFC 4588 twin that repairs a format. */
export function rtxOf(formats: Format[], { payloadType, clockRate }: Format): Format | undefined {
  return formats.find(
    (each) =>
      each.codec === 'rtx' && each.clockRate === clockRate && each.parameters.get('apt') === String(payloadType),
  );
}

/** RFC 7587 §7: always two channels in the rtpmap; a missing number is forgiven. */
export function opusOf(formats: Format[]): Format | undefined {
  return formats.find(
    ({ codec, clockRate, channels = 2 }) => codec === 'opus' && clockRate === 48000 && channels === 2,
  );
}

/** Parameters that the answer repeats, and their values (RFC 7587 §6.1); `minptime` is a habit of browsers. */
const OPUS_PARAMETERS: ReadonlyMap<string, RegExp> = new Map([
  ['minptime', /^\d{1,3}$/],
  ['useinbandfec', /^[01]$/],
]);

/** The answer's fmtp: nothing unknown (RFC 7587 §7.1), and stereo said both ways when the stream has it. */
export function opusConfig({ parameters }: Format, stereo: boolean, role: 'sender' | 'receiver'): string {
  const kept = [...OPUS_PARAMETERS].flatMap(([name, form]) => {
    const value = parameters.get(name);
    return value !== undefined && form.test(value) ? [`${name}=${value}`] : [];
  });
  const channels = stereo ? (role === 'sender' ? ['stereo=1', 'sprop-stereo=1'] : ['stereo=1']) : [];
  return [...kept, ...channels].join(';');
}

import type { OfferLine } from './offer.ts';
import { attribute, attributes, isWellFormed, type Section } from './syntax.ts';

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

/** Those that this server sends and receives. */
const CODECS = /^\S+ (h264|opus)\b/i;

/**
 * The formats in the offer's order of preference (RFC 8829 §5.3.1); those without an rtpmap are of no use here. Throws
 * `invalid-offer` when one of a codec that counts is described badly or twice; any other may be as odd as it likes.
 */
export function formatsOf({ formats, section }: Pick<OfferLine, 'formats' | 'section'>): Format[] {
  return formats.flatMap((format) => {
    const [map] = attributes(section, `rtpmap:${format}`);
    if (map === undefined) return [];
    const counts = CODECS.test(map.value ?? '');
    if (!counts && !isWellFormed(map)) return [];
    const read = (name: string) =>
      afterBlank(counts ? attribute(section, `${name}:${format}`) : attributes(section, `${name}:${format}`)[0]?.value);
    const [codec = '', clockRate, channels] = read('rtpmap').split('/');
    return [
      {
        payloadType: Number(format),
        codec: codec.toLowerCase(),
        clockRate: Number(clockRate),
        channels: channels === undefined ? undefined : Number(channels),
        parameters: readParameters(read('fmtp')),
      },
    ];
  });
}

/** What a number stands for in a line, to be compared: the format's rtpmap and fmtp; undefined without a usable rtpmap. */
export function meaningOf(section: Section, format: string): string | undefined {
  const [map] = attributes(section, `rtpmap:${format}`);
  if (map === undefined || !isWellFormed(map)) return undefined;
  const [config] = attributes(section, `fmtp:${format}`);
  return `${afterBlank(map.value)} ${afterBlank(config?.value)}`.toLowerCase();
}

function afterBlank(value = ''): string {
  const blank = value.indexOf(' ');
  return blank < 0 ? '' : value.slice(blank + 1);
}

/** `name=value` pairs between semicolons; names know no case (RFC 4855 §3). The first of a name counts. */
export function readParameters(config: string): Map<string, string> {
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

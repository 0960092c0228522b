import { type Codec, RTP_NAMES } from '../engine/codecs.ts';
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

/** Formats that need no rtpmap (RFC 3551 §6). */
const STATIC_MAPS: ReadonlyMap<string, string> = new Map(
  Object.values(RTP_NAMES).flatMap(({ encoding, clockRate, staticType }): [string, string][] =>
    staticType === undefined ? [] : [[String(staticType), `${encoding}/${clockRate}`]],
  ),
);

/**
 * The formats in the offer's order of preference (RFC 8829 §5.3.1); those without an rtpmap are of no use here, unless
 * their number says enough. Throws `invalid-offer` when one of the `codecs` is described badly or twice; any other may be as
 * odd as it likes.
 */
export function formatsOf(
  { formats, section }: Pick<OfferLine, 'formats' | 'section'>,
  codecs: readonly Codec[],
): Format[] {
  const encodings = new Set(codecs.map((codec) => RTP_NAMES[codec].encoding.toLowerCase()));
  return formats.flatMap((format) => {
    const [map] = attributes(section, `rtpmap:${format}`);
    const said = map ? afterBlank(map.value) : STATIC_MAPS.get(format);
    if (said === undefined) return [];
    const counts = encodings.has(/^\w*/.exec(said)?.[0].toLowerCase() ?? '');
    if (!counts && map && !isWellFormed(map)) return [];
    const read = (name: string) => {
      const key = `${name}:${format}`;
      return afterBlank(counts ? attribute(section, key) : attributes(section, key)[0]?.value);
    };
    const [codec = '', clockRate, channels] = (map ? read('rtpmap') : said).split('/');
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

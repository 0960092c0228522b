import { type AudioCodec, type Codec, RTP_NAMES, titleOf, type VideoCodec } from '../../engine/codecs.ts';
import type { AudioFacts, VideoFacts } from '../../engine/port.ts';
import type { Format } from '../formats.ts';

/** An offered format, and what the answer says of it. */
export interface Choice {
  format: Format;
  /** The answer's fmtp; may be empty. */
  config: string;
  /** Of a codec that leaves their number open. */
  channels?: number;
}

/** Without a choice there is nothing of the codec in the offer, or `refusal` says what is wrong with it. */
export interface Outcome {
  choice?: Choice;
  /** Nothing that was offered decodes the stream by the book. */
  lastResort?: boolean;
  /** For the statistics, with the cure: the choice is not exact, or the profile stands in the way. */
  warning?: string;
  /** For who sent the offer: what it lacks, or what else is the matter. */
  refusal?: { missing: string } | { reason: string };
}

/** How offers and answers speak of a codec. */
interface Negotiation<Name extends Codec, Facts> {
  readonly name: Name;
  /** Those that its rtpmap always names. */
  readonly channels?: number;
  /** The offered format to send a stream with. `strict`: none that does not say that it decodes it. */
  choose(formats: Format[], facts: Facts, strict: boolean): Outcome;
  /** The offered format to receive what a publisher will send. */
  receive(formats: Format[]): Choice | undefined;
  /** What another server is asked for: the fmtp of each format, with its channels where the codec leaves them open. */
  offer(): readonly { config: string; channels?: number }[];
}

export interface VideoNegotiation extends Negotiation<VideoCodec, VideoFacts> {
  /** What a stream's parameters mean, for people. */
  describe(parameters: Parameters): Description;
}

export type AudioNegotiation = Negotiation<AudioCodec, AudioFacts>;

/** As `VideoFacts` has them. */
export type Parameters = NonNullable<VideoFacts['parameters']>;

export interface Description {
  profile?: string;
  level?: string;
  tier?: string;
}

/** The formats of a codec; any number of channels is left to the caller. */
export function ofCodec(formats: Format[], codec: Codec): Format[] {
  const { encoding, clockRate } = RTP_NAMES[codec];
  return formats.filter((each) => each.codec === encoding.toLowerCase() && each.clockRate === clockRate);
}

/** A parameter that is a small number: `absent` where it is not there, undefined when it is none. */
export function numberOf({ parameters }: Format, name: string, absent: number): number | undefined {
  const value = parameters.get(name);
  if (value === undefined) return absent;
  return /^\d{1,3}$/.test(value) ? Number(value) : undefined;
}

/** The answer's fmtp of the parameters that are known, values and order as offered (RFC 8829 §5.3.1). */
export function repeated({ parameters }: Format, known: ReadonlyMap<string, RegExp>): string {
  return [...parameters]
    .filter(([name, value]) => known.get(name)?.test(value))
    .map(([name, value]) => `${name}=${value}`)
    .join(';');
}

/** A format of a codec whose streams fit by their profile. */
export interface Profiled extends Choice {
  /** Its name. */
  profile: string;
}

/** What an offer of profiles is compared with. */
export interface Wanted {
  codec: Codec;
  /** What the stream has. */
  profile: string;
  /** Those that are as good as the stream's own; the stream's own too. */
  equal: readonly string[];
  /** Others that decode it. */
  decoders: readonly string[];
  /** For whoever encodes, as in "encode with". */
  cure: string;
}

/** The first format that fits the stream exactly, else the first that decodes it, with a warning. */
export function chooseByProfile(offered: readonly Profiled[], wanted: Wanted): Outcome {
  if (offered.length === 0) return {};
  const { codec, profile, equal, decoders, cure } = wanted;
  const exact = offered.find((each) => equal.includes(each.profile));
  if (exact) return { choice: exact };
  const names = [...new Set(offered.map((each) => each.profile))].join(', ');
  const facts = `the stream is ${titleOf(codec)} ${profile}, a viewer offers ${names}`;
  const decoder = offered.find((each) => decoders.includes(each.profile));
  if (decoder) return { choice: decoder, warning: `${facts}: sent as ${decoder.profile}, which decodes it` };
  const warning = `${facts}, which does not decode it: encode with ${cure}`;
  return { refusal: { missing: titleOf(codec) }, warning };
}

/** The outcome, with a warning when pictures have more macroblocks than the receiver says it takes (RFC 7741 §6.1). */
export function withinSize(outcome: Outcome, { codec, width = 0, height = 0 }: VideoFacts): Outcome {
  const limit = outcome.choice?.format.parameters.get('max-fs') ?? '';
  const size = Math.ceil(width / 16) * Math.ceil(height / 16);
  if (!/^\d{1,9}$/.test(limit) || size <= Number(limit)) return outcome;
  const warning = `the stream is ${titleOf(codec)} of ${width}x${height}, ${size} macroblocks, and a viewer takes ${limit} (max-fs): encode a smaller size`;
  return { ...outcome, warning };
}

import type { MediaDescription } from 'sdp-transform';
import type { LegKind, MediaLine, StreamFacts } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import { type Accepted, acceptLine } from './accept.ts';
import { formatsOf, opusConfig, opusOf, rtxOf } from './formats.ts';
import { ASSUMED, chooseH264, chooseH264ToReceive, type H264Choice, h264Config } from './h264.ts';
import type { MediaOffer, Offer, OfferLine } from './offer.ts';
import { reduceOffer } from './reduce.ts';
import { isLiveMedia, unsupported } from './rules.ts';
import type { OfferTransport } from './transport.ts';

/** What the answer will say, but for the engine's transport. */
export interface Plan {
  /** One per m-line of the offer, in place; `answer` is absent where the line is rejected. */
  lines: { line: OfferLine; answer?: MediaDescription }[];
  /** The mids of the answer's BUNDLE group, its tag first; absent when the offer had no group (RFC 9143 §7.3). */
  bundle?: string[];
  /** The mid of the line whose transport carries the session (RFC 9143 §7.3.1). */
  tag: string;
  /** The client's transport for the whole session. */
  remote: OfferTransport;
  /** Those of the offer that this server knows (RFC 8829 §5.3.1). */
  iceOptions: string[];
  /** For the engine: the offer reduced to the accepted lines, and to what was accepted in them. */
  offer: string;
  /** For the engine: the accepted lines in the offer's order. */
  media: MediaLine[];
  /** For stats and log: each names its cure. */
  warnings: string[];
}

export interface WatchOptions {
  /** Every codec the stream carries must be accepted; otherwise one is enough (draft-ietf-wish-whep §4.3.4). */
  complete: boolean;
  /** Returns an unused random number of 32 bits. */
  ssrc: () => number;
  /** RFC 8834 §4.9: the same for every line of a session. */
  cname: string;
  /** The id of the one MediaStream (draft-ietf-wish-whep §4.6.2), a token. */
  msid: string;
  /** Accept the playout-delay header extension. */
  playoutDelay: boolean;
}

/**
 * Plans a viewer's session: which lines carry the stream's legs, and how. The first line that can carry a leg takes
 * it; every other line is rejected in place. Throws `codec-mismatch` with the missing codecs.
 */
export function negotiateWatch(offer: Offer, facts: StreamFacts, options: WatchOptions): Plan {
  const warnings: string[] = [];
  const accepted: Accepted[] = [];
  for (const line of offer.media.filter(isAcceptable)) {
    if (!facts[line.kind] || accepted.some(({ media }) => media.kind === line.kind)) continue;
    const found = line.kind === 'video' ? watchVideo(line, facts, options, warnings) : watchAudio(line, facts, options);
    if (found) accepted.push(found);
  }
  const carried = (['video', 'audio'] as const).filter((kind) => facts[kind]);
  const missing = carried.filter((kind) => !accepted.some(({ media }) => media.kind === kind));
  if (accepted.length === 0 || (options.complete && missing.length > 0)) throw mismatch(missing, warnings);
  return planOf(offer, accepted, warnings);
}

/**
 * Plans a publisher's session: H264 and Opus to receive for the stream's `legs`, on every live audio and video line, or
 * nothing at all.
 * `ssrc` of a line is what the offer announces for it, 0 when it does not say.
 *
 * Throws `unsupported-offer` for what cannot be accepted whole (RFC 9725 §4.4.2, §4.4.3).
 */
export function negotiatePublish(offer: Offer, legs: readonly LegKind[]): Plan {
  const outside = offer.lines
    .filter(isLiveMedia)
    .find(({ index }) => !offer.media.some((line) => line.index === index));
  if (outside) throw unsupported(`the m-line of mid ${outside.mid} is outside the first line's BUNDLE group`);
  if (offer.media.length === 0) throw unsupported('there is no audio or video to publish');
  const accepted = offer.media.map((line) => {
    if (!legs.includes(line.kind)) throw unsupported(`this stream takes no ${line.kind}`);
    const found = isAcceptable(line) && (line.kind === 'video' ? publishVideo(line) : publishAudio(line));
    if (!found) throw unsupported(`the m-line of mid ${line.mid} offers no ${CODECS[line.kind]}`);
    return found;
  });
  return planOf(offer, accepted, []);
}

const CODECS = { video: 'H264', audio: 'Opus' } as const;
/** RFC 8829 §5.1.2: every one of these means DTLS-SRTP when there is a fingerprint. */
const PROTOS = /^(RTP\/S?AVPF?|(UDP\/TLS|TCP\/DTLS)\/RTP\/SAVPF?)$/;
/** RFC 8834 §5.1: what a sender must react to, and a receiver may ask. */
const VIDEO_FEEDBACK = ['nack', 'nack pli', 'ccm fir'];
/** The engine tells publishers how much they may send (draft-alvestrand-rmcat-remb). */
const REMB = 'goog-remb';
/** Trickled candidates are taken by PATCH, and libjuice keeps to RFC 8445. */
const ICE_OPTIONS = ['trickle', 'ice2'];

function isAcceptable({ proto }: MediaOffer): boolean {
  return PROTOS.test(proto);
}

function watchVideo(
  line: MediaOffer,
  facts: StreamFacts,
  options: WatchOptions,
  warnings: string[],
): Accepted | undefined {
  const formats = formatsOf(line);
  const { profileLevelId = ASSUMED, interlaced } = facts.video ?? {};
  const { choice, warning } = chooseH264(formats, profileLevelId, interlaced);
  if (warning) warnings.push(warning);
  if (!choice) return undefined;
  const rtx = rtxOf(formats, choice.format);
  return acceptLine(line, {
    ...h264(choice),
    feedback: VIDEO_FEEDBACK,
    ...(rtx && { rtx }),
    send: options,
    extensions: ['mid', 'absCaptureTime', ...(options.playoutDelay ? (['playoutDelay'] as const) : [])],
  });
}

function watchAudio(line: MediaOffer, facts: StreamFacts, options: WatchOptions): Accepted | undefined {
  const format = opusOf(formatsOf(line));
  if (!format) return undefined;
  return acceptLine(line, {
    format,
    codec: 'opus',
    config: opusConfig(format, facts.audio?.channels !== 1, 'sender'),
    feedback: ['nack'],
    send: options,
    extensions: ['mid', 'absCaptureTime'],
  });
}

function publishVideo(line: MediaOffer): Accepted | undefined {
  const choice = chooseH264ToReceive(formatsOf(line));
  return choice && acceptLine(line, { ...h264(choice), feedback: [...VIDEO_FEEDBACK, REMB], extensions: ['mid'] });
}

function publishAudio(line: MediaOffer): Accepted | undefined {
  const format = opusOf(formatsOf(line));
  if (!format) return undefined;
  const stereo = ['stereo', 'sprop-stereo'].some((name) => format.parameters.get(name) === '1');
  const config = opusConfig(format, stereo, 'receiver');
  return acceptLine(line, { format, codec: 'opus', config, feedback: ['nack', REMB], extensions: ['mid'] });
}

function h264(choice: H264Choice) {
  return { format: choice.format, codec: 'H264' as const, config: h264Config(choice) };
}

function mismatch(missing: LegKind[], warnings: string[]): Failure {
  const names = missing.map((kind) => CODECS[kind]);
  const message = `webrtc: codec mismatch -- offer is missing: ${names.join(', ')}`;
  // Without video missing they tell how it would have been sent.
  return new Failure('codec-mismatch', message, {
    missing: names,
    warnings: missing.includes('video') ? warnings : [],
  });
}

function planOf(offer: Offer, accepted: Accepted[], warnings: string[]): Plan {
  const { tag, bundle } = bundleOf(offer, accepted);
  return {
    lines: offer.lines.map((line) => {
      const answer = accepted.find((each) => each.line.index === line.index)?.answer;
      return { line, ...(answer && { answer }) };
    }),
    ...(offer.bundle && { bundle: bundle.map(({ mid }) => mid) }),
    tag: tag.mid,
    remote: tag.transport,
    iceOptions: ICE_OPTIONS.filter((option) => offer.iceOptions.includes(option)),
    offer: reduceOffer(offer, accepted, tag),
    media: accepted.map(({ media }) => media),
    warnings,
  };
}

/**
 * The accepted lines with the tag first. It is the first in the order of the offer's group that has a port of its own
 * (RFC 9143 §7.3.1); a max-bundle client may have given one to a line that is rejected, and to no other.
 */
function bundleOf(offer: Offer, accepted: Accepted[]): { tag: MediaOffer; bundle: MediaOffer[] } {
  const order = offer.bundle ?? [];
  const bundle = accepted.map(({ line }) => line).toSorted((a, b) => order.indexOf(a.mid) - order.indexOf(b.mid));
  const tag = bundle.find(({ bundleOnly }) => !bundleOnly) ?? bundle[0];
  if (!tag) throw new TypeError('a plan accepts at least one line');
  return { tag, bundle: [tag, ...bundle.filter((line) => line !== tag)] };
}

import type { MediaDescription } from 'sdp-transform';
import type { AudioFacts, LegKind, MediaLine, StreamFacts, VideoFacts } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import { type Accepted, acceptLine } from './accept.ts';
import { formatsOf, opusConfig, opusOf, rtxOf } from './formats.ts';
import { chooseH264, chooseH264ToReceive, type H264Choice, type H264Outcome, h264Config } from './h264.ts';
import type { Aside, MediaOffer, Offer, OfferLine } from './offer.ts';
import { reduceOffer } from './reduce.ts';
import { unsupported } from './rules.ts';
import { type IceChecks, type RemoteTransport, withCandidates } from './transport.ts';

/** What the answer will say, but for the engine's transport. */
export interface Plan {
  /** One per m-line of the offer, in place; `answer` is absent where the line is rejected. */
  lines: { line: OfferLine; answer?: MediaDescription }[];
  /** The mids of the answer's BUNDLE group, its tag first; absent when the offer had no group (RFC 9143 §7.3). */
  bundle?: string[];
  /** The mid of the line whose transport carries the session (RFC 9143 §7.3.1). */
  tag: string;
  /** The client's transport for the whole session. */
  remote: RemoteTransport;
  /** Those of the offer that this server knows (RFC 8829 §5.3.1). */
  iceOptions: string[];
  /** For the engine: the offer reduced to the accepted lines, and to what was accepted in them. */
  offer: string;
  /** For the engine: the accepted lines in the offer's order. */
  media: MediaLine[];
  /** For stats and log: each names its cure. */
  warnings: string[];
  /** The video's profile is none that the viewer says it decodes. */
  profileMismatch: boolean;
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
  /** Send no profile that the viewer does not say it decodes. */
  strictProfiles: boolean;
  iceChecks: IceChecks;
}

/**
 * Plans a viewer's session: which lines carry the stream's legs, and how. The first line that can carry a leg takes
 * it; every other line is rejected in place. Throws `codec-mismatch` with the missing codecs.
 */
export function negotiateWatch(offer: Offer, facts: StreamFacts, options: WatchOptions): Plan {
  const accepted: Accepted[] = [];
  const attempts: H264Outcome[] = [];
  for (const line of offer.media.filter(isAcceptable)) {
    if (accepted.some(({ media }) => media.kind === line.kind)) continue;
    const found =
      line.kind === 'video'
        ? facts.video && watchVideo(line, facts.video, options, attempts)
        : facts.audio && watchAudio(line, facts.audio, options);
    if (found) accepted.push(found);
  }
  const video = attempts.find(({ choice }) => choice) ?? attempts.find(({ refusal }) => refusal) ?? {};
  const carried = (['video', 'audio'] as const).filter((kind) => facts[kind]);
  const missing = carried.filter((kind) => !accepted.some(({ media }) => media.kind === kind));
  if (accepted.length === 0 || (options.complete && missing.length > 0)) throw mismatch(offer, missing, video);
  return planOf(offer, accepted, options.iceChecks, video);
}

/**
 * Plans a publisher's session: H264 and Opus to receive for the stream's `legs`, on every live audio and video line, or
 * nothing at all.
 * `ssrc` of a line is what the offer announces for it, 0 when it does not say.
 *
 * Throws `unsupported-offer` for what cannot be accepted whole (RFC 9725 §4.4.2, §4.4.3).
 */
export function negotiatePublish(offer: Offer, legs: readonly LegKind[], iceChecks: IceChecks): Plan {
  const outside = offer.aside.find(({ cause }) => cause !== 'direction');
  if (outside) throw unsupported(whyAside(outside));
  if (offer.media.length === 0) throw unsupported('there is no audio or video to publish');
  const accepted = offer.media.map((line) => {
    if (!legs.includes(line.kind)) throw unsupported(`this stream takes no ${line.kind}`);
    const found = isAcceptable(line) && (line.kind === 'video' ? publishVideo(line) : publishAudio(line));
    if (!found) throw unsupported(`${nameOf(line)} offers no ${CODECS[line.kind]}`);
    return found;
  });
  return planOf(offer, accepted, iceChecks);
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
  video: VideoFacts,
  options: WatchOptions,
  attempts: H264Outcome[],
): Accepted | undefined {
  const formats = formatsOf(line);
  const attempt = chooseH264(formats, video, options.strictProfiles);
  attempts.push(attempt);
  if (!attempt.choice) return undefined;
  const rtx = rtxOf(formats, attempt.choice.format);
  return acceptLine(line, {
    ...h264(attempt.choice),
    feedback: VIDEO_FEEDBACK,
    ...(rtx && { rtx }),
    send: options,
    extensions: ['mid', 'absCaptureTime', ...(options.playoutDelay ? (['playoutDelay'] as const) : [])],
  });
}

function watchAudio(line: MediaOffer, { channels }: AudioFacts, options: WatchOptions): Accepted | undefined {
  const format = opusOf(formatsOf(line));
  if (!format) return undefined;
  return acceptLine(line, {
    format,
    codec: 'opus',
    config: opusConfig(format, channels !== 1, 'sender'),
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

/** What the offer lacks, and what else kept a leg from being sent: a line that was offered is not missing. */
function mismatch({ aside }: Offer, missing: LegKind[], video: H264Outcome): Failure {
  const lacks: string[] = [];
  const reasons: string[] = [];
  for (const kind of missing) {
    const { refusal } = kind === 'video' ? video : {};
    const unfit = aside.find(({ line }) => line.kind === kind);
    if (refusal && 'reason' in refusal) reasons.push(refusal.reason);
    else if (refusal || !unfit) lacks.push(refusal?.missing ?? CODECS[kind]);
    else reasons.push(whyAside(unfit));
  }
  const parts = [...(lacks.length > 0 ? [`offer is missing: ${lacks.join(', ')}`] : []), ...reasons];
  return new Failure('codec-mismatch', `webrtc: codec mismatch -- ${parts.join('; ')}`, {
    missing: missing.map((kind) => CODECS[kind]),
    // Without video missing it tells how it would have been sent.
    warnings: missing.includes('video') && video.warning ? [video.warning] : [],
  });
}

function whyAside({ line, cause }: Aside): string {
  return `${nameOf(line)} is ${cause === 'direction' ? line.direction : cause}`;
}

function nameOf({ mid, kind }: Pick<OfferLine, 'mid' | 'kind'>): string {
  return mid === '' ? `the ${kind} m-line without a mid` : `the m-line of mid ${mid}`;
}

function planOf(
  offer: Offer,
  accepted: Accepted[],
  iceChecks: IceChecks,
  { warning, lastResort = false }: H264Outcome = {},
): Plan {
  if (offer.iceLite && iceChecks === 'client') {
    // RFC 8445 §2.5: a lite agent begins no checks.
    throw unsupported('a client of ICE-lite waits for checks, which this server leaves to its clients');
  }
  const { tag, bundle } = bundleOf(offer, accepted);
  const remote = withCandidates(tag.transport);
  return {
    lines: offer.lines.map((line) => {
      const answer = accepted.find((each) => each.line.index === line.index)?.answer;
      return { line, ...(answer && { answer }) };
    }),
    ...(offer.bundle && { bundle: bundle.map(({ mid }) => mid) }),
    tag: tag.mid,
    remote,
    iceOptions: ICE_OPTIONS.filter((option) => offer.iceOptions.includes(option)),
    offer: reduceOffer(offer, accepted, tag, remote, iceChecks),
    media: accepted.map(({ media }) => media),
    warnings: warning ? [warning] : [],
    profileMismatch: lastResort,
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

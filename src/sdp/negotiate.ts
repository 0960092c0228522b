import type { MediaDescription } from 'sdp-transform';
import { type Codec, PUBLISHED_CODECS, titleOf } from '../engine/codecs.ts';
import type { LegKind, MediaLine, StreamFacts } from '../engine/port.ts';
import { Failure } from '../errors.ts';
import { type Accepted, acceptLine } from './accept.ts';
import type { Choice, Outcome } from './codecs/codec.ts';
import { AUDIO, CODECS, VIDEO } from './codecs/table.ts';
import { type Format, formatsOf, rtxOf } from './formats.ts';
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
  const attempts: Attempt[] = [];
  for (const line of offer.media.filter(isAcceptable)) {
    const codec = facts[line.kind]?.codec;
    if (codec === undefined || accepted.some(({ media }) => media.kind === line.kind)) continue;
    const formats = formatsOf(line, [codec]);
    const outcome = choose(line.kind, formats, facts, options.strictProfiles);
    attempts.push({ kind: line.kind, outcome });
    if (outcome.choice) accepted.push(send(line, codec, formats, outcome.choice, options));
  }
  const carried = KINDS.filter((kind) => facts[kind]);
  const missing = carried.filter((kind) => !accepted.some(({ media }) => media.kind === kind));
  if (accepted.length === 0 || (options.complete && missing.length > 0)) {
    throw mismatch(offer, facts, missing, attempts);
  }
  return planOf(offer, accepted, options.iceChecks, decisive(attempts, 'video'));
}

/**
 * Plans a publisher's session: the first of `codecs` that a line offers, to receive for the stream's `legs`, on every live
 * audio and video line, or nothing at all. Of a kind of which none is named all are taken.
 * `ssrc` of a line is what the offer announces for it, 0 when it does not say.
 *
 * Throws `unsupported-offer` for what cannot be accepted whole (RFC 9725 §4.4.2, §4.4.3).
 */
export function negotiatePublish(
  offer: Offer,
  legs: readonly LegKind[],
  codecs: readonly Codec[],
  iceChecks: IceChecks,
): Plan {
  const outside = offer.aside.find(({ cause }) => cause !== 'direction');
  if (outside) throw unsupported(whyAside(outside));
  if (offer.media.length === 0) throw unsupported('there is no audio or video to publish');
  const accepted = offer.media.map((line) => {
    if (!legs.includes(line.kind)) throw unsupported(`this stream takes no ${line.kind}`);
    const wanted = codecsOf(line.kind, codecs);
    const found = isAcceptable(line) && receive(line, wanted);
    if (!found) throw unsupported(`${nameOf(line)} offers no ${wanted.map(titleOf).join(', ')}`);
    return found;
  });
  return planOf(offer, accepted, iceChecks);
}

const KINDS = ['video', 'audio'] as const;
/** RFC 8829 §5.1.2: every one of these means DTLS-SRTP when there is a fingerprint. */
const PROTOS = /^(RTP\/S?AVPF?|(UDP\/TLS|TCP\/DTLS)\/RTP\/SAVPF?)$/;
/** RFC 8834 §5.1: what a sender must react to, and a receiver may ask. */
const FEEDBACK: Record<LegKind, string[]> = { video: ['nack', 'nack pli', 'ccm fir'], audio: ['nack'] };
/** The engine tells publishers how much they may send (draft-alvestrand-rmcat-remb). */
const REMB = 'goog-remb';
/** Trickled candidates are taken by PATCH, and libjuice keeps to RFC 8445. */
const ICE_OPTIONS = ['trickle', 'ice2'];

function isAcceptable({ proto }: MediaOffer): boolean {
  return PROTOS.test(proto);
}

/** What became of a line that might have carried a leg. */
interface Attempt {
  kind: LegKind;
  outcome: Outcome;
}

function choose(kind: LegKind, formats: Format[], { video, audio }: StreamFacts, strict: boolean): Outcome {
  if (kind === 'video') return video ? VIDEO[video.codec].choose(formats, video, strict) : {};
  return audio ? AUDIO[audio.codec].choose(formats, audio, strict) : {};
}

function send(line: MediaOffer, codec: Codec, formats: Format[], choice: Choice, options: WatchOptions): Accepted {
  const rtx = line.kind === 'video' ? rtxOf(formats, choice.format) : undefined;
  const playoutDelay = options.playoutDelay && line.kind === 'video';
  return acceptLine(line, {
    codec: CODECS[codec],
    choice,
    feedback: FEEDBACK[line.kind],
    ...(rtx && { rtx }),
    send: options,
    extensions: ['mid', 'absCaptureTime', ...(playoutDelay ? (['playoutDelay'] as const) : [])],
  });
}

function receive(line: MediaOffer, codecs: readonly Codec[]): Accepted | undefined {
  const formats = formatsOf(line, codecs);
  for (const name of codecs) {
    const codec = CODECS[name];
    const choice = codec.receive(formats);
    if (choice)
      return acceptLine(line, { codec, choice, feedback: [...FEEDBACK[line.kind], REMB], extensions: ['mid'] });
  }
  return undefined;
}

function codecsOf(kind: LegKind, codecs: readonly Codec[]): Codec[] {
  const ofKind = (codec: Codec) => codec in (kind === 'video' ? VIDEO : AUDIO);
  return codecs.some(ofKind) ? codecs.filter(ofKind) : PUBLISHED_CODECS.filter(ofKind);
}

/** The outcome of a kind that tells most: what was chosen, else what was refused. */
function decisive(attempts: readonly Attempt[], kind: LegKind): Outcome {
  const outcomes = attempts.filter((each) => each.kind === kind).map(({ outcome }) => outcome);
  return outcomes.find(({ choice }) => choice) ?? outcomes.find(({ refusal }) => refusal) ?? {};
}

/** What the offer lacks, and what else kept a leg from being sent: a line that was offered is not missing. */
function mismatch({ aside }: Offer, facts: StreamFacts, missing: LegKind[], attempts: Attempt[]): Failure {
  const lacks: string[] = [];
  const reasons: string[] = [];
  const titles = missing.flatMap((kind) => facts[kind]?.codec ?? []).map(titleOf);
  missing.forEach((kind, index) => {
    const { refusal } = decisive(attempts, kind);
    const unfit = aside.find(({ line }) => line.kind === kind);
    if (refusal && 'reason' in refusal) reasons.push(refusal.reason);
    else if (refusal || !unfit) lacks.push(refusal?.missing ?? titles[index] ?? kind);
    else reasons.push(whyAside(unfit));
  });
  const parts = [...(lacks.length > 0 ? [`offer is missing: ${lacks.join(', ')}`] : []), ...reasons];
  return new Failure('codec-mismatch', `webrtc: codec mismatch -- ${parts.join('; ')}`, {
    missing: titles,
    // Of a kind that is not missing it tells how it would have been sent.
    warnings: missing.flatMap((kind) => decisive(attempts, kind).warning ?? []),
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
  { warning, lastResort = false }: Outcome = {},
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

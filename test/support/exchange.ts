import { type Codec, PUBLISHED_CODECS, type VideoCodec } from '../../src/engine/codecs.ts';
import type { StreamFacts, VideoFacts } from '../../src/engine/port.ts';
import { Failure } from '../../src/errors.ts';
import { writeAnswer } from '../../src/sdp/answer.ts';
import { negotiatePublish, negotiateWatch, type Plan, type WatchOptions } from '../../src/sdp/negotiate.ts';
import { parseOffer, type Role } from '../../src/sdp/offer.ts';
import { h264Facts } from './facts.ts';

/** A stream as FFmpeg sends it by the README: constrained baseline and stereo. */
export const STREAM: StreamFacts = {
  video: h264Facts('42c01f'),
  audio: { active: true, codec: 'opus', channels: 2 },
};

/** A stream of each codec, and of the profiles that make a difference. */
export const STREAMS: Readonly<Record<string, StreamFacts>> = {
  VP8: { video: videoFacts('vp8', {}) },
  'VP8, larger than most take': { video: { ...videoFacts('vp8', {}), width: 7680, height: 4320 } },
  'VP9 profile 0': { video: videoFacts('vp9', { 'profile-id': '0' }) },
  'VP9 profile 2': { video: videoFacts('vp9', { 'profile-id': '2' }) },
  'AV1 Main': { video: videoFacts('av1', { profile: '0', 'level-idx': '8', tier: '1' }) },
  'AV1 High': { video: videoFacts('av1', { profile: '1', 'level-idx': '5', tier: '0' }) },
  'H265 Main': { video: videoFacts('h265', { 'profile-id': '1', 'tier-flag': '0', 'level-id': '93' }) },
  'H265 Main 10 of the High tier': { video: videoFacts('h265', { 'profile-id': '2', 'tier-flag': '1' }) },
  G722: { audio: { active: true, codec: 'g722', channels: 1 } },
  PCMU: { audio: { active: true, codec: 'pcmu', channels: 1 } },
  PCMA: { audio: { active: true, codec: 'pcma', channels: 1 } },
  multiopus: { audio: { active: true, codec: 'multiopus', channels: 6 } },
};

function videoFacts(codec: VideoCodec, parameters: Record<string, string>): VideoFacts {
  return { active: true, codec, parameters, bFrames: false };
}

export interface Exchange {
  plan: Plan;
  answer: string;
}

/** One offer, all the way to the answer, with an engine that answers at once. */
export function exchange(
  offer: string,
  {
    role = 'watch',
    stream = STREAM,
    announce = [],
    candidates,
    iceChecks = 'both',
    codecs = PUBLISHED_CODECS,
    ...options
  }: {
    role?: Exclude<Role, 'serve'>;
    stream?: StreamFacts;
    announce?: string[];
    candidates?: string[];
    /** What a publisher may send. */
    codecs?: readonly Codec[];
  } & Partial<WatchOptions> = {},
): Exchange {
  const parsed = parseOffer(offer, role);
  let ssrc = 1000;
  const plan =
    role === 'publish'
      ? negotiatePublish(parsed, ['video', 'audio'], codecs, iceChecks)
      : negotiateWatch(parsed, stream, {
          complete: true,
          ssrc: () => ++ssrc,
          cname: 'cname',
          msid: 'stream',
          playoutDelay: false,
          strictProfiles: false,
          iceChecks,
          ...options,
        });
  return { plan, answer: writeAnswer(plan, { description: localDescription(plan.offer, candidates) }, announce) };
}

/** The failure that `run` ends in; anything else it throws is thrown on. */
export function failureOf(run: () => unknown): Failure {
  try {
    run();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** A line by its beginning, exchanged for others or left out. Throws when no line begins so. */
export function edit(sdp: string, start: string, ...lines: string[]): string {
  const all = sdp.split('\r\n');
  if (!all.some((line) => line.startsWith(start))) throw new Error(`no line begins with ${start}`);
  return all.flatMap((line) => (line.startsWith(start) ? lines : [line])).join('\r\n');
}

/** What libdatachannel says to a reduced offer, in its shape. */
function localDescription(offer: string, candidates = CANDIDATES): string {
  const [mid = '0'] = /(?<=^a=mid:).*$/m.exec(offer) ?? [];
  return `${[
    'v=0',
    'o=rtc 2181121431 0 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0 1',
    'a=msid-semantic:WMS *',
    'a=ice-options:ice2,trickle',
    `a=fingerprint:sha-256 ${Array(32).fill('5D').join(':')}`,
    'm=video 44811 UDP/TLS/RTP/SAVPF 96',
    'c=IN IP4 192.0.2.2',
    `a=mid:${mid}`,
    'a=sendonly',
    `a=setup:${/^a=setup:active/m.test(offer) ? 'passive' : 'active'}`,
    'a=ice-ufrag:2718',
    'a=ice-pwd:KsDry/RP6NLhwcP9UmD5/B',
    ...candidates.map((each) => `a=candidate:${each}`),
    'a=end-of-candidates',
  ].join('\r\n')}\r\n`;
}

const CANDIDATES = ['2 1 UDP 2116026111 2001:db8::2 44811 typ host', '1 1 UDP 2114977791 192.0.2.2 44811 typ host'];

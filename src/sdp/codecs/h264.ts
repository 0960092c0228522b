import type { VideoFacts } from '../../engine/port.ts';
import type { Format } from '../formats.ts';
import { type Choice, type Outcome, ofCodec, type VideoNegotiation } from './codec.ts';

/** The profiles that WebRTC endpoints name, and those of cameras and encoders that none of them decodes (H.264 Annex A). */
type Profile =
  | 'Constrained Baseline'
  | 'Baseline'
  | 'Extended'
  | 'Main'
  | 'Constrained High'
  | 'Progressive High'
  | 'High'
  | 'High 10'
  | 'High 4:2:2'
  | 'High 4:4:4 Predictive'
  | 'CAVLC 4:4:4 Intra';

/**
 * RFC 6184 §8.1 table 5, with the two High subsets of later H.264: profile_idc, mask and value of profile-iop, the first
 * match counts. Bits that the table wants to be 0 are not looked at: some encoders set them, decoders ignore them.
 */
const SIGNATURES: readonly [idc: number, mask: number, iop: number, profile: Profile][] = [
  [0x42, 0x40, 0x40, 'Constrained Baseline'],
  [0x4d, 0x80, 0x80, 'Constrained Baseline'],
  [0x58, 0xc0, 0xc0, 'Constrained Baseline'],
  [0x42, 0x00, 0x00, 'Baseline'],
  [0x58, 0x80, 0x80, 'Baseline'],
  [0x4d, 0x00, 0x00, 'Main'],
  [0x58, 0x00, 0x00, 'Extended'],
  [0x64, 0x0c, 0x0c, 'Constrained High'],
  [0x64, 0x0c, 0x08, 'Progressive High'],
  [0x64, 0x00, 0x00, 'High'],
  [0x6e, 0x00, 0x00, 'High 10'],
  [0x7a, 0x00, 0x00, 'High 4:2:2'],
  [0xf4, 0x00, 0x00, 'High 4:4:4 Predictive'],
  [0x2c, 0x00, 0x00, 'CAVLC 4:4:4 Intra'],
];

/** What decodes every High profile with samples of eight bits and a quarter of the colours, the nearest first. */
const ABOVE_HIGH: Profile[] = ['High 10', 'High 4:2:2', 'High 4:4:4 Predictive'];
/** What decodes whatever is constrained baseline, the nearest first. */
const ANY: Profile[] = ['Main', 'Constrained High', 'Progressive High', 'High', ...ABOVE_HIGH];

/**
 * Decoders that a stream of the profile is safe with besides its own kind (H.264 §A.2): the supersets, the nearest first,
 * then those that lack only what no live stream has. Encoders that say baseline use none of its slice tools (FMO, ASO);
 * and B slices, which Constrained High lacks, are of no use over WebRTC.
 */
const DECODERS: Record<Profile, Profile[]> = {
  'Constrained Baseline': ['Baseline', ...ANY, 'Extended'],
  Baseline: ['Extended', 'Constrained Baseline', ...ANY],
  Extended: [],
  Main: ['High', ...ABOVE_HIGH, 'Progressive High', 'Constrained High'],
  'Constrained High': ['Progressive High', 'High', ...ABOVE_HIGH],
  'Progressive High': ['High', ...ABOVE_HIGH, 'Constrained High'],
  High: [...ABOVE_HIGH, 'Progressive High', 'Constrained High'],
  'High 10': ['High 4:2:2', 'High 4:4:4 Predictive'],
  'High 4:2:2': ['High 4:4:4 Predictive'],
  'High 4:4:4 Predictive': [],
  'CAVLC 4:4:4 Intra': ['High 4:4:4 Predictive'],
};

/** Decoders of whole frames alone. */
const PROGRESSIVE: Profile[] = ['Constrained Baseline', 'Baseline', 'Constrained High', 'Progressive High'];

/**
 * Streams that browsers decode whatever they were told, and what to tell them: Firefox and GStreamer offer no more than
 * baseline and have decoders that know the rest.
 */
const COMMON: Profile[] = ['Constrained Baseline', 'Baseline', 'Main', 'Constrained High', 'Progressive High', 'High'];
const LAST_RESORT: Profile[] = ['Constrained Baseline', 'Baseline', 'Main'];

/** RFC 6184 §8.1: what no profile-level-id means. */
const INFERRED = '42000a';

/** RFC 6184 §8. */
export const h264: VideoNegotiation = {
  name: 'h264',
  /**
   * Packetization-mode 1 (an absent one means 0) and the stream's profile, or the nearest that decodes it, or, unless
   * `strict`, the one that works in practice. The level never counts (RFC 6184 §8.2.2). Before the first SPS the one that
   * most viewers decode.
   */
  choose(formats, video, strict) {
    const named = ofCodec(formats, 'h264');
    if (named.length === 0) return {};
    const offered = readable(named).filter(({ mode }) => mode === '1');
    const [any] = offered;
    if (any === undefined) return { refusal: { missing: 'H264 with packetization-mode=1' } };
    const profileLevelId = video.parameters?.['profile-level-id'];
    if (profileLevelId === undefined) return { choice: usual(offered) ?? any };
    return chooseFor(offered, profileOf(profileLevelId), video, strict);
  },
  /** With packetization-mode 1 if the publisher can, and the profile that most viewers decode. */
  receive(formats) {
    const offered = readable(ofCodec(formats, 'h264'));
    return usual(offered.filter(({ mode }) => mode === '1')) ?? usual(offered.filter(({ mode }) => mode === '0'));
  },
  /** Every profile that a viewer may want. */
  offer: () =>
    ['42e01f', '42001f', '4d001f', '640c1f', '64001f'].map((profile) => ({
      config: `level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=${profile}`,
    })),
  describe({ 'profile-level-id': profileLevelId }) {
    return profileLevelId ? { profile: profileOf(profileLevelId), level: levelOf(profileLevelId) } : {};
  },
};

function chooseFor(offered: Offered[], wanted: Named, video: VideoFacts, strict: boolean): Outcome {
  const stream = `the stream is ${video.interlaced ? 'interlaced ' : ''}H264 ${wanted}`;
  const exact = offered.find(({ profile }) => profile === wanted);
  if (exact && !video.interlaced) return { choice: exact };
  if (exact) return { choice: exact, warning: `${stream}, which few players show well: encode whole frames` };

  const facts = `${stream}, a viewer offers ${names(offered)}`;
  const decoder = nearest(offered, decodersOf(wanted, video.interlaced));
  if (decoder) return { choice: decoder, warning: `${facts}: sent as ${decoder.profile}, which decodes it` };
  const last = strict || !isCommon(wanted, video) ? undefined : nearest(offered, LAST_RESORT);
  const cure = "encode with -profile:v baseline, in an ffmpeg: source with video: 'h264'";
  if (last) {
    const warning = `${facts}: sent as ${last.profile} all the same, which most of them decode; to be sure, ${cure}`;
    return { choice: last, lastResort: true, warning };
  }
  const reason = `${stream}, and the H264 of the offer is ${names(offered)}`;
  return { refusal: { reason }, warning: `${facts}, which does not decode it: ${cure}` };
}

/** The answer's fmtp: no parameter sets (they travel in-band, RFC 7742 §6.2), the rest as offered (RFC 6184 §8.2.2). */
function configOf({ parameters }: Format, profileLevelId: string): string {
  const asymmetry = parameters.get('level-asymmetry-allowed') === '1' ? ['level-asymmetry-allowed=1'] : [];
  const mode = parameters.get('packetization-mode');
  return [
    ...asymmetry,
    ...(mode === undefined ? [] : [`packetization-mode=${mode}`]),
    `profile-level-id=${profileLevelId}`,
  ].join(';');
}

/** The profile's name, for a person. */
export function profileOf(profileLevelId: string): Profile | `profile ${number}` {
  const idc = Number.parseInt(profileLevelId.slice(0, 2), 16);
  const iop = Number.parseInt(profileLevelId.slice(2, 4), 16);
  const signature = SIGNATURES.find(([id, mask, value]) => id === idc && (iop & mask) === value);
  return signature?.[3] ?? `profile ${idc}`;
}

/** RFC 6184 §8.1: the last octet is level_idc, ten times the level; 9 stands for the odd one between 1 and 1.1. */
function levelOf(profileLevelId: string): string {
  const level = Number.parseInt(profileLevelId.slice(4, 6), 16);
  return level === 9 ? '1b' : (level / 10).toFixed(1);
}

type Named = ReturnType<typeof profileOf>;
type Offered = Choice & { profile: Named; mode: string };

/** Those whose profile-level-id can be read. */
function readable(formats: Format[]): Offered[] {
  return formats.flatMap((format) => {
    const profileLevelId = format.parameters.get('profile-level-id') ?? INFERRED;
    if (!/^[0-9a-f]{6}$/i.test(profileLevelId)) return [];
    const mode = format.parameters.get('packetization-mode') ?? '0';
    return [{ format, config: configOf(format, profileLevelId), profile: profileOf(profileLevelId), mode }];
  });
}

function decodersOf(profile: Named, interlaced = false): Profile[] {
  const decoders = isKnown(profile) ? DECODERS[profile] : [];
  return interlaced ? decoders.filter((each) => !PROGRESSIVE.includes(each)) : decoders;
}

function isKnown(profile: Named): profile is Profile {
  return profile in DECODERS;
}

/** WebRTC cannot reorder, and the decoders in question know no fields. */
function isCommon(profile: Named, { bFrames, reorderFrames = 0, interlaced = false }: VideoFacts): boolean {
  return COMMON.some((each) => each === profile) && !bFrames && reorderFrames === 0 && !interlaced;
}

function names(offered: Offered[]): string {
  return [...new Set(offered.map(({ profile }) => profile))].join(', ');
}

function nearest(offered: Offered[], profiles: Profile[]): Offered | undefined {
  return profiles.flatMap((profile) => offered.filter((each) => each.profile === profile)).at(0);
}

/** The profile that most endpoints decode (RFC 7742 §6.2), else what the client likes best. */
function usual(offered: Offered[]): Offered | undefined {
  return offered.find(({ profile }) => profile === 'Constrained Baseline') ?? offered[0];
}

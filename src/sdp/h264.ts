import type { Format } from './formats.ts';

/** The profiles that WebRTC endpoints name (H.264 Annex A), and those that encoders make besides. */
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
  | 'CAVLC 4:4:4 Intra'
  | 'Unknown'
  | 'High 4:4:4 Predictive';

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

/** What decodes whatever is constrained baseline, the nearest first. */
const ANY: Profile[] = ['Main', 'Constrained High', 'Progressive High', 'High', 'High 4:4:4 Predictive'];

/**
 * Decoders that a stream of the profile is safe with besides its own kind (H.264 §A.2): the supersets, the nearest first,
 * then those that lack only what no live stream has. Encoders that say baseline use none of its slice tools (FMO, ASO);
 * and B slices, which the narrower High profiles lack, are of no use over WebRTC. Fields are looked at apart.
 */
const DECODERS: Record<Profile, Profile[]> = {
  'Constrained Baseline': ['Baseline', ...ANY, 'Extended'],
  Baseline: ['Extended', 'Constrained Baseline', ...ANY],
  Extended: [],
  Main: ['High', 'High 4:4:4 Predictive', 'Progressive High', 'Constrained High'],
  'Constrained High': ['Progressive High', 'High', 'High 4:4:4 Predictive'],
  'Progressive High': ['High', 'High 4:4:4 Predictive', 'Constrained High'],
  High: ['High 4:4:4 Predictive', 'Progressive High', 'Constrained High'],
  'High 10': ['High 4:2:2', 'High 4:4:4 Predictive'],
  'High 4:2:2': ['High 4:4:4 Predictive'],
  'High 4:4:4 Predictive': [],
  'CAVLC 4:4:4 Intra': ['High 4:4:4 Predictive'],
  Unknown: [],
};

/** Those that decode frames alone (H.264 §A.2: frame_mbs_only_flag is 1). */
const PROGRESSIVE: readonly Profile[] = ['Constrained Baseline', 'Baseline', 'Constrained High', 'Progressive High'];

/** RFC 6184 §8.1: what no profile-level-id means. */
const INFERRED = '42000a';
/** Until a stream's SPS is known: what every WebRTC endpoint decodes (RFC 7742 §6.2). */
export const ASSUMED = '42e01f';

export interface H264Choice {
  format: Format;
  /** As offered, or inferred. */
  profileLevelId: string;
}

/**
 * The offered format to send a stream with: packetization-mode 1 (an absent one means 0) and the stream's profile, or
 * the nearest that decodes it. The level never counts (RFC 6184 §8.2.2). No choice when nothing of that kind is offered;
 * a warning when the choice is not exact or the stream's profile is what stands in the way. `interlaced`: its SPS allows
 * for fields.
 */
export function chooseH264(
  formats: Format[],
  profileLevelId: string,
  interlaced = false,
): { choice?: H264Choice; warning?: string } {
  const wanted = profileOf(profileLevelId);
  const offered = offeredH264(formats);
  if (offered.length === 0) return {};
  const exact = offered.find(({ profile }) => profile === wanted);
  if (exact) return { choice: exact };
  const decoders = DECODERS[wanted].filter((profile) => !interlaced || !PROGRESSIVE.includes(profile));
  const decoder = nearest(offered, decoders);
  const names = [...new Set(offered.map(({ profile }) => profile))].join(', ');
  const facts = `the stream is ${interlaced ? 'interlaced ' : ''}H264 ${wanted}, a viewer offers ${names}`;
  return decoder
    ? { choice: decoder, warning: `${facts}: sent as ${decoder.profile}, which decodes it` }
    : { warning: `${facts}, which does not decode it: encode with -profile:v baseline` };
}

/** For a stream that a publisher will send: the profile that most viewers decode, else what it prefers itself. */
export function chooseH264ToReceive(formats: Format[]): H264Choice | undefined {
  const offered = offeredH264(formats);
  return offered.find(({ profile }) => profile === 'Constrained Baseline') ?? offered[0];
}

/** The answer's fmtp: no parameter sets (they travel in-band, RFC 7742 §6.2), the profile as offered (RFC 6184 §8.2.2). */
export function h264Config({ format, profileLevelId }: H264Choice): string {
  const asymmetry = format.parameters.get('level-asymmetry-allowed') === '1' ? ['level-asymmetry-allowed=1'] : [];
  return [...asymmetry, 'packetization-mode=1', `profile-level-id=${profileLevelId}`].join(';');
}

function offeredH264(formats: Format[]): (H264Choice & { profile: Profile })[] {
  return formats.flatMap((format) => {
    const { codec, clockRate, parameters } = format;
    const profileLevelId = parameters.get('profile-level-id') ?? INFERRED;
    const usable =
      codec === 'h264' &&
      clockRate === 90000 &&
      parameters.get('packetization-mode') === '1' &&
      /^[0-9a-f]{6}$/i.test(profileLevelId);
    return usable ? [{ format, profileLevelId, profile: profileOf(profileLevelId) }] : [];
  });
}

/** The profile's name, for a person. */
export function profileOf(profileLevelId: string): Profile {
  const idc = Number.parseInt(profileLevelId.slice(0, 2), 16);
  const iop = Number.parseInt(profileLevelId.slice(2, 4), 16);
  const signature = SIGNATURES.find(([id, mask, value]) => id === idc && (iop & mask) === value);
  return signature?.[3] ?? 'Unknown';
}

function nearest<T extends { profile: Profile }>(offered: T[], profiles: Profile[]): T | undefined {
  return profiles.flatMap((profile) => offered.filter((each) => each.profile === profile)).at(0);
}

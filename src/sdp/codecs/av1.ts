import type { Format } from '../formats.ts';
import {
  chooseByProfile,
  numberOf,
  ofCodec,
  type Parameters,
  type Profiled,
  repeated,
  type VideoNegotiation,
} from './codec.ts';

/** AV1 bitstream specification, annex A.2; each decodes those before it. */
const PROFILES = ['Main', 'High', 'Professional'];

/**
 * RTP payload format for AV1 §7.2: only the profile counts, and Main is what none means. Level and tier do not, as browsers
 * offer level 3.1 whatever they decode.
 */
export const av1: VideoNegotiation = {
  name: 'av1',
  choose(formats, { parameters }) {
    const profile = profileOf(parameters);
    const decoders = PROFILES.slice(PROFILES.indexOf(profile) + 1);
    const wanted = { codec: 'av1' as const, profile, equal: [profile], decoders, cure: '-pix_fmt yuv420p' };
    return chooseByProfile(profilesOf(formats), wanted);
  },
  receive(formats) {
    const offered = profilesOf(formats);
    return offered.find(({ profile }) => profile === PROFILES[0]) ?? offered[0];
  },
  offer: () => PROFILES.map((_, profile) => ({ config: `level-idx=5;profile=${profile};tier=0` })),
  describe: (parameters) => ({
    profile: profileOf(parameters),
    level: levelOf(Number(parameters['level-idx'] ?? 5)),
    tier: parameters.tier === '1' ? 'High' : 'Main',
  }),
};

const REPEATED: ReadonlyMap<string, RegExp> = new Map([
  ['level-idx', /^\d{1,2}$/],
  ['profile', /^[0-2]$/],
  ['tier', /^[01]$/],
]);

function profilesOf(formats: Format[]): Profiled[] {
  return ofCodec(formats, 'av1').flatMap((format) => {
    const profile = PROFILES[numberOf(format, 'profile', 0) ?? PROFILES.length];
    return profile === undefined ? [] : [{ format, config: repeated(format, REPEATED), profile }];
  });
}

function profileOf(parameters: Parameters = {}): string {
  const profile = Number(parameters.profile ?? 0);
  return PROFILES[profile] ?? `profile ${profile}`;
}

/** Annex A.3: four of each number from 2 on; 31 is no level but none. */
function levelOf(index: number): string {
  return index === 31 ? 'unlimited' : `${2 + (index >> 2)}.${index & 3}`;
}

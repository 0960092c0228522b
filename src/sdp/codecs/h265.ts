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

/** ITU-T H.265 annex A.3, by general_profile_idc. */
const PROFILES: ReadonlyMap<number, string> = new Map([
  [1, 'Main'],
  [2, 'Main 10'],
  [3, 'Main Still Picture'],
  [4, 'Range Extensions'],
]);
const HIGH_TIER = ' of the High tier';

/**
 * RFC 7798 §7.1 and §7.2.2: profile and tier count, the level may be another in each direction, and what none means is Main,
 * Main tier, level 3.1, one stream of RTP.
 */
export const h265: VideoNegotiation = {
  name: 'h265',
  choose(formats, { parameters = {} }) {
    const tiers = isHigh(parameters) ? [HIGH_TIER] : ['', HIGH_TIER];
    const profile = profileOf(parameters);
    return chooseByProfile(profilesOf(formats), {
      codec: 'h265',
      profile: `${profile}${isHigh(parameters) ? HIGH_TIER : ''}`,
      equal: tiers.map((tier) => `${profile}${tier}`),
      decoders: profile === 'Main' ? tiers.map((tier) => `Main 10${tier}`) : [],
      cure: isHigh(parameters) ? '-x265-params high-tier=0' : '-pix_fmt yuv420p',
    });
  },
  receive(formats) {
    const offered = profilesOf(formats).filter(({ format }) => numberOf(format, 'sprop-max-don-diff', 0) === 0);
    return offered.find(({ profile }) => profile === 'Main') ?? offered[0];
  },
  offer: () =>
    [
      'profile-id=1;tier-flag=0',
      'profile-id=2;tier-flag=0',
      'profile-id=1;tier-flag=1',
      'profile-id=2;tier-flag=1',
    ].map((profile) => ({ config: `level-id=180;${profile};tx-mode=SRST` })),
  describe: (parameters) => ({
    profile: profileOf(parameters),
    // general_level_idc is thirty times the level.
    level: (Number(parameters['level-id'] ?? 93) / 30).toFixed(1),
    tier: isHigh(parameters) ? 'High' : 'Main',
  }),
};

/** No parameter sets: they travel in-band. */
const REPEATED: ReadonlyMap<string, RegExp> = new Map([
  ['profile-space', /^0$/],
  ['profile-id', /^\d{1,2}$/],
  ['tier-flag', /^[01]$/],
  ['level-id', /^\d{1,3}$/],
  ['tx-mode', /^SRST$/i],
]);

/** Those that go in one stream of RTP, whose parameters can be read. */
function profilesOf(formats: Format[]): Profiled[] {
  return ofCodec(formats, 'h265').flatMap((format) => {
    const profile = numberOf(format, 'profile-id', 1);
    const tier = numberOf(format, 'tier-flag', 0);
    const single = (format.parameters.get('tx-mode') ?? 'SRST').toUpperCase() === 'SRST';
    const known = numberOf(format, 'profile-space', 0) === 0 && profile !== undefined && (tier === 0 || tier === 1);
    if (!single || !known) return [];
    const name = `${nameOf(profile)}${tier === 1 ? HIGH_TIER : ''}`;
    return [{ format, config: repeated(format, REPEATED), profile: name }];
  });
}

/** Of another profile space the numbers mean other things, which nobody has defined. */
function profileOf(parameters: Parameters): string {
  const space = parameters['profile-space'] ?? '0';
  const name = nameOf(Number(parameters['profile-id'] ?? 1));
  return space === '0' ? name : `${name} in profile space ${space}`;
}

function isHigh(parameters: Parameters): boolean {
  return parameters['tier-flag'] === '1';
}

function nameOf(profile: number): string {
  return PROFILES.get(profile) ?? `profile ${profile}`;
}

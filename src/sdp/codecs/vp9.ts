import type { Format } from '../formats.ts';
import {
  chooseByProfile,
  numberOf,
  ofCodec,
  type Parameters,
  type Profiled,
  repeated,
  type VideoNegotiation,
  withinSize,
} from './codec.ts';

/** RFC 9628 §6: a profile has a payload type of its own, and 0 is what no profile-id means. */
export const vp9: VideoNegotiation = {
  name: 'vp9',
  choose(formats, facts) {
    const profile = profileOf(facts.parameters);
    const wanted = { codec: 'vp9' as const, profile, equal: [profile], decoders: [], cure: '-pix_fmt yuv420p' };
    return withinSize(chooseByProfile(profilesOf(formats), wanted), facts);
  },
  receive(formats) {
    const offered = profilesOf(formats);
    return offered.find(({ profile }) => profile === nameOf(0)) ?? offered[0];
  },
  offer: () => [0, 2, 1, 3].map((profile) => ({ config: `profile-id=${profile}` })),
  describe: (parameters) => ({ profile: profileOf(parameters) }),
};

const REPEATED: ReadonlyMap<string, RegExp> = new Map([['profile-id', /^[0-3]$/]]);

function profilesOf(formats: Format[]): Profiled[] {
  return ofCodec(formats, 'vp9').flatMap((format) => {
    const profile = numberOf(format, 'profile-id', 0) ?? 4;
    return profile > 3 ? [] : [{ format, config: repeated(format, REPEATED), profile: nameOf(profile) }];
  });
}

function profileOf(parameters: Parameters = {}): string {
  return nameOf(Number(parameters['profile-id'] ?? 0));
}

function nameOf(profile: number): string {
  return `profile ${profile}`;
}

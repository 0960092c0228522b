import type { StreamFacts } from '../../src/engine/port.ts';
import type { StreamStats } from '../../src/http/schemas.ts';

/** What a stream carries, as its statistics tell. */
export function factsOf({ video, audio }: Pick<StreamStats, 'video' | 'audio'>): StreamFacts {
  return {
    ...(video && {
      video: {
        active: video.active,
        bFrames: video.b_frames,
        ...(video.profile_level_id && { profileLevelId: video.profile_level_id }),
      },
    }),
    ...(audio && { audio: { active: audio.active, ...(audio.channels && { channels: audio.channels }) } }),
  };
}

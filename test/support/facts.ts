import type { StreamFacts, VideoFacts } from '../../src/engine/port.ts';
import type { StreamStats } from '../../src/http/schemas.ts';

/** H264 that arrives; its profile is not known before the first SPS. */
export function h264Facts(profileLevelId?: string, facts: Partial<VideoFacts> = {}): VideoFacts {
  const parameters = profileLevelId && { parameters: { 'profile-level-id': profileLevelId } };
  return { active: true, codec: 'h264', bFrames: false, ...parameters, ...facts };
}

/** What a stream carries, as its statistics tell; the parameters of H264 alone. */
export function factsOf({ video, audio }: Pick<StreamStats, 'video' | 'audio'>): StreamFacts {
  return {
    ...(video && {
      video: {
        ...h264Facts(video.profile_level_id, { active: video.active, bFrames: video.b_frames }),
        codec: video.codec ?? 'h264',
      },
    }),
    ...(audio && {
      audio: {
        active: audio.active,
        codec: audio.codec ?? 'opus',
        ...(audio.channels && { channels: audio.channels }),
      },
    }),
  };
}

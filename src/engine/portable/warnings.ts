import type { Leg } from './leg.ts';
import type { Codec } from './sound.ts';

/** What hurts viewers and a person beside the encoder can cure; said once, with the cure. */
export interface Warning {
  code: string;
  text: string;
}

/** Longer without a keyframe, and viewers wait too long. Milliseconds. */
const KEYFRAME_PATIENCE = 10_000;
/** So many lost packets hurt; one may be the price of a start in mid-stream. */
const LOST_PACKETS = 10;
/** So many packets of another stream are no stragglers. */
const OTHER_PACKETS = 10;

interface Cause extends Warning {
  seen(leg: Leg): boolean;
}

function wrongCodec(codec: Codec, is: string, cure: string): Cause {
  const text = `the audio is ${is}, and is dropped; ${cure}`;
  return { code: 'not-opus', text, seen: ({ media }) => media.wrongCodec === codec };
}

const CAUSES: readonly Cause[] = [
  {
    code: 'b-frames',
    text: 'the video has B-frames, which WebRTC cannot reorder: pictures will jump; encode with -bf 0',
    seen: ({ media }) => media.bidirectional,
  },
  {
    code: 'annex-b',
    text: 'the video payloads hold Annex B start codes, which RTP does not allow; send with -f rtp, not raw H264',
    seen: ({ media }) => media.annexB,
  },
  {
    code: 'h265',
    text: 'the video is H265, not H264, and is dropped; encode with -c:v libx264, or set the camera to H264',
    seen: ({ media }) => media.hevc,
  },
  {
    code: 'no-parameter-sets',
    text: 'keyframes come without SPS and PPS, so nothing can be decoded; add -bsf:v dump_extra=freq=keyframe',
    seen: ({ drops }) => drops.of('no-parameter-sets') > 0,
  },
  {
    code: 'no-keyframe',
    text: 'no keyframe has come for 10 seconds, so nobody can join quickly; encode with a short GOP, such as -g 60',
    seen: ({ kind, media, drops, began, lastPacket }) => {
      if (kind !== 'video' || began === undefined || drops.of('no-parameter-sets') > 0) return false;
      if (media.annexB || media.hevc) return false;
      // While nothing comes, none is missing.
      return (lastPacket ?? began) - Math.max(media.keyframeAt ?? began, began) >= KEYFRAME_PATIENCE;
    },
  },
  {
    code: 'not-h264',
    text: 'pushed video is dropped: it is neither Annex B nor AVCC with lengths of four bytes that add up; push whole H264 access units',
    seen: ({ media }) => media.notH264,
  },
  {
    code: 'pixel-format',
    text: 'the video has more than 8 bits or other chroma than 4:2:0, which most players cannot decode; encode with -pix_fmt yuv420p',
    seen: ({ media }) => media.sps?.uncommonPixels ?? false,
  },
  {
    code: 'interlaced',
    text: 'the video is interlaced, which most players cannot show; encode it without fields, such as with -vf yadif',
    seen: ({ media }) => media.sps?.interlaced ?? false,
  },
  {
    code: 'profile-changed',
    text: "the video's H264 profile changed while viewers watched, and some players cannot follow; keep one, such as -profile:v baseline",
    seen: ({ media }) => media.profileChanged,
  },
  wrongCodec(
    'AAC',
    'AAC, not Opus',
    "put -c:a libopus before the output of the audio leg: FFmpeg's codec options belong to the next output only",
  ),
  ...(['G.711', 'G.722', 'L16', 'MPEG audio'] as const).map((codec) =>
    wrongCodec(codec, `${codec}, not Opus`, 'encode it with -c:a libopus'),
  ),
  wrongCodec('unknown', 'not Opus', 'encode it with -c:a libopus'),
  {
    code: 'large-sound',
    text: 'sound is dropped: its packets exceed 1408 bytes and fit no datagram; send shorter packets or fewer bits, such as -frame_duration 20 -b:a 128k',
    seen: ({ kind, drops }) => kind === 'audio' && drops.of('oversized') > 0,
  },
  {
    code: 'wrong-pace',
    text: 'the time stamps do not run as fast as time does, and players stutter; the clock of video is 90 kHz, that of Opus 48 kHz (with FFmpeg: read files with -re, and see that it keeps up)',
    seen: ({ media }) => media.wrongPace && media.wrongCodec === undefined,
  },
  {
    code: 'several-streams',
    text: 'several streams come for one leg, such as the layers of simulcast, and all but one are dropped; send one',
    seen: ({ drops }) => drops.of('other-stream') >= OTHER_PACKETS,
  },
  {
    code: 'loss',
    text: 'packets get lost on the way from the encoder; raise net.core.rmem_max, or send from this machine',
    seen: ({ drops }) => drops.of('lost') >= LOST_PACKETS,
  },
];

/** What legs give cause for now. */
export function warningsOf(legs: readonly Leg[]): Warning[] {
  return CAUSES.filter(({ seen }) => legs.some(seen)).map(({ code, text }) => ({ code, text }));
}

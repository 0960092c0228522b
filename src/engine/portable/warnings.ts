import type { Leg } from './leg.ts';

/** What hurts viewers and a person beside the encoder can cure; said once, with the cure. */
export interface Warning {
  code: string;
  text: string;
}

/** Longer without a keyframe, and viewers wait too long. Milliseconds. */
const KEYFRAME_PATIENCE = 10_000;
/** So many lost packets hurt; one may be the price of a start in mid-stream. */
const LOST_PACKETS = 10;

const CAUSES: readonly (Warning & { seen: (leg: Leg, now: number) => boolean })[] = [
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
    seen: ({ kind, media, drops, firstPacket }, now) => {
      if (kind !== 'video' || firstPacket === undefined || drops.of('no-parameter-sets') > 0) return false;
      if (media.annexB || media.hevc) return false;
      return now - (media.keyframeAt ?? firstPacket) >= KEYFRAME_PATIENCE;
    },
  },
  {
    code: 'not-h264',
    text: 'pushed video is dropped: it is neither Annex B nor AVCC with lengths of four bytes that add up; push whole H264 access units',
    seen: ({ media }) => media.notH264,
  },
  {
    code: 'not-opus',
    text: "the audio is AAC or something else, not Opus, and is dropped; put -c:a libopus before the output of the audio leg: FFmpeg's codec options belong to the next output only",
    seen: ({ media }) => media.notOpus,
  },
  {
    code: 'large-sound',
    text: 'sound is dropped: its packets exceed 1408 bytes and fit no datagram; send shorter packets or fewer bits, such as -frame_duration 20 -b:a 128k',
    seen: ({ kind, drops }) => kind === 'audio' && drops.of('oversized') > 0,
  },
  {
    code: 'loss',
    text: 'packets get lost on the way from the encoder; raise net.core.rmem_max, or send from this machine',
    seen: ({ drops }) => drops.of('lost') >= LOST_PACKETS,
  },
];

/** What legs give cause for now. */
export function warningsOf(legs: readonly Leg[], now: number): Warning[] {
  return CAUSES.filter(({ seen }) => legs.some((leg) => seen(leg, now))).map(({ code, text }) => ({ code, text }));
}

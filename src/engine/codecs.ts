/** The codecs that are passed through: plain data, for whoever has to name one. */

/** In our order of preference, as everywhere. */
export const VIDEO_CODECS = ['h264', 'vp8', 'vp9', 'av1', 'h265'] as const;
/** Nobody offers the last by itself: it is taken by name alone. */
export const AUDIO_CODECS = ['opus', 'g722', 'pcmu', 'pcma', 'multiopus'] as const;

export type VideoCodec = (typeof VIDEO_CODECS)[number];
export type AudioCodec = (typeof AUDIO_CODECS)[number];
export type Codec = VideoCodec | AudioCodec;

/** How RTP names a codec (RFC 3551, RFC 8866 §6.6). */
export interface RtpName {
  /** As the rtpmap spells it. */
  encoding: string;
  /** Hz; of G722 too it is 8000 (RFC 3551 §4.5.2). */
  clockRate: number;
  /** The number that needs no rtpmap (RFC 3551 §6). */
  staticType?: number;
}

export const RTP_NAMES: Readonly<Record<Codec, RtpName>> = {
  h264: { encoding: 'H264', clockRate: 90000 },
  vp8: { encoding: 'VP8', clockRate: 90000 },
  vp9: { encoding: 'VP9', clockRate: 90000 },
  av1: { encoding: 'AV1', clockRate: 90000 },
  h265: { encoding: 'H265', clockRate: 90000 },
  opus: { encoding: 'opus', clockRate: 48000 },
  g722: { encoding: 'G722', clockRate: 8000, staticType: 9 },
  pcmu: { encoding: 'PCMU', clockRate: 8000, staticType: 0 },
  pcma: { encoding: 'PCMA', clockRate: 8000, staticType: 8 },
  multiopus: { encoding: 'multiopus', clockRate: 48000 },
};

/** What a publisher may send where nobody says otherwise. */
export const PUBLISHED_CODECS: readonly Codec[] = [...VIDEO_CODECS, 'opus', 'g722', 'pcmu', 'pcma'];

/** A codec's name, for people. */
export function titleOf(codec: Codec): string {
  return codec === 'opus' ? 'Opus' : RTP_NAMES[codec].encoding;
}

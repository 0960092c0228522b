import type { AudioCodec, VideoCodec } from '../../engine/codecs.ts';
import type { FfmpegSpec } from './spec.ts';

/** What FFmpeg's RTP has no place for is what this leaves out: several streams of Opus. */
export type SentAudio = Exclude<AudioCodec, 'multiopus'>;

/** By which of FFmpeg's encoders a codec is made. */
export const ENCODERS: Readonly<Record<VideoCodec | SentAudio, string>> = {
  h264: 'libx264',
  h265: 'libx265',
  vp8: 'libvpx',
  vp9: 'libvpx-vp9',
  av1: 'libaom-av1',
  opus: 'libopus',
  pcmu: 'pcm_mulaw',
  pcma: 'pcm_alaw',
  g722: 'g722',
};

/** FFmpeg calls its RTP of these experimental; browsers play it. */
const EXPERIMENTAL: readonly VideoCodec[] = ['vp9', 'av1'];

/** What a muxer needs to be told before it takes the codec. */
export function consent(codec: VideoCodec): string[] {
  return EXPERIMENTAL.includes(codec) ? ['-strict', 'experimental'] : [];
}

/** An encoder that holds no picture back and reorders none, with keyframes by time, whatever the frame rate. */
export function videoEncoder(codec: VideoCodec, spec: FfmpegSpec): string[] {
  const { gopSeconds = 2, videoBitrate = 4_000_000 } = spec;
  const keyframes = ['-g', '600', '-force_key_frames', `expr:gte(t,n_forced*${gopSeconds})`];
  const limits = ['-maxrate', `${videoBitrate}`, '-bufsize', `${Math.round(videoBitrate / 2)}`];
  const encoder = ['-c:v', ENCODERS[codec]];
  const realtime = ['-cpu-used', '8', '-lag-in-frames', '0', '-b:v', `${videoBitrate}`];
  switch (codec) {
    case 'h264':
      return [
        ...[...encoder, '-preset', spec.preset ?? 'veryfast', '-tune', 'zerolatency', '-profile:v', 'baseline'],
        ...['-bf', '0', '-sc_threshold', '0', ...keyframes, '-crf', '23', ...limits],
        ...['-bsf:v', 'dump_extra=freq=keyframe'],
      ];
    case 'h265':
      return [
        ...[...encoder, '-preset', spec.preset ?? 'ultrafast', '-tune', 'zerolatency'],
        // Forced keyframes are no IDR pictures in an open GOP, nor soon after another; the encoder's description of itself is
        // 2 KB before each.
        ...[
          '-x265-params',
          'open-gop=0:min-keyint=1:bframes=0:info=0:log-level=error',
          ...keyframes,
          '-crf',
          '28',
          ...limits,
        ],
      ];
    case 'vp8':
      return [...encoder, '-deadline', 'realtime', ...realtime, '-auto-alt-ref', '0', ...keyframes];
    case 'vp9':
      return [...encoder, '-deadline', 'realtime', ...realtime, ...keyframes, ...consent(codec)];
    case 'av1':
      return [...encoder, '-usage', 'realtime', ...realtime, ...keyframes, ...consent(codec)];
  }
}

/** Packets of 20 ms. */
export function audioEncoder(codec: SentAudio, { audioBitrate = 96_000 }: FfmpegSpec): string[] {
  const encoder = ['-c:a', ENCODERS[codec]];
  switch (codec) {
    case 'opus':
      return [...encoder, '-ar', '48000', '-ac', '2', '-b:a', `${audioBitrate}`];
    case 'pcmu':
    case 'pcma':
      // Without the filter packets would be as long as the decoder's frames.
      return [...encoder, '-ar', '8000', '-ac', '1', '-af', 'aresample=8000,asetnsamples=160:p=0'];
    case 'g722':
      return [...encoder, '-ar', '16000', '-ac', '1', '-frame_size', '320'];
  }
}

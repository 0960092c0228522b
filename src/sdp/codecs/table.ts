import type { AudioCodec, Codec, VideoCodec } from '../../engine/codecs.ts';
import { av1 } from './av1.ts';
import type { AudioNegotiation, VideoNegotiation } from './codec.ts';
import { h264 } from './h264.ts';
import { h265 } from './h265.ts';
import { multiopus } from './multiopus.ts';
import { opus } from './opus.ts';
import { g722, pcma, pcmu } from './pcm.ts';
import { vp8 } from './vp8.ts';
import { vp9 } from './vp9.ts';

export const VIDEO: Readonly<Record<VideoCodec, VideoNegotiation>> = { h264, vp8, vp9, av1, h265 };
export const AUDIO: Readonly<Record<AudioCodec, AudioNegotiation>> = { opus, g722, pcmu, pcma, multiopus };
export const CODECS: Readonly<Record<Codec, VideoNegotiation | AudioNegotiation>> = { ...VIDEO, ...AUDIO };

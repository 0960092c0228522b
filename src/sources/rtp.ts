import type { Ingress } from '../engine/port.ts';
import type { Source } from './source.ts';

export interface RtpSpec {
  host: string;
  /** UDP port of the video leg; 0 lets the system choose; absent for a stream without video. */
  video?: number | undefined;
  audio?: number | undefined;
}

/** RTP that somebody else sends to UDP ports of ours: the engine does everything. */
export function rtpSource(spec: RtpSpec): Source {
  const ingress: Ingress = { kind: 'rtp', host: spec.host };
  if (spec.video !== undefined) ingress.video = spec.video;
  if (spec.audio !== undefined) ingress.audio = spec.audio;
  return {
    kind: 'rtp',
    ingress,
    start: async () => {},
    stop: async () => {},
    describe: () => `rtp:${spec.video ?? ''}${spec.audio === undefined ? '' : `,${spec.audio}`}`,
  };
}

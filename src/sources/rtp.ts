import type { Ingress, RtpLeg } from '../engine/port.ts';
import { parameterSets } from '../sdp/parameters.ts';
import { channelsOf, type RtpLegSpec, type RtpSpec } from './rtp/spec.ts';
import type { Source } from './source.ts';

/** RTP that somebody else sends to UDP ports of ours: the engine does everything. */
export function rtpSource({ host, video, audio }: RtpSpec): Source {
  const ingress: Ingress = {
    kind: 'rtp',
    host,
    ...(video && { video: legOf(video) }),
    ...(audio && { audio: { ...legOf(audio), ...channelsOf(audio) } }),
  };
  return {
    kind: 'rtp',
    ingress,
    start: async () => {},
    stop: async () => {},
    describe: () => `rtp:${video ? inShort(video) : ''}${audio ? `,${inShort(audio)}` : ''}`,
  };
}

function legOf({ port, rtcpPort, codec, payloadType, parameters = {} }: RtpLegSpec): RtpLeg {
  const sets = parameterSets(codec, new Map(Object.entries(parameters)));
  return {
    port,
    codec,
    ...(rtcpPort !== undefined && { rtcpPort }),
    ...(payloadType !== undefined && { payloadType }),
    ...(sets.length > 0 && { sets }),
  };
}

/** As in the string form of the source. */
function inShort({ port, codec }: RtpLegSpec): string {
  return codec === 'h264' || codec === 'opus' ? `${port}` : `${port}/${codec}`;
}

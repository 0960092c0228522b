import { isIP } from 'node:net';
import * as z from 'zod';
import { parameterFault } from '../../sdp/parameters.ts';
import { audioCodec, channels, videoCodec } from '../codecs.ts';

const PORT = 'give a UDP port from 0 to 65535 (0 lets the system choose)';
const HOST = 'give an IP address of this machine to bind';
const TYPE = 'give a payload type from 0 to 127';
const PARAMETERS = 'give the parameters of its fmtp by name, such as { "profile-id": "2" }';
const port = z.int(PORT).min(0, PORT).max(65535, PORT);

const leg = {
  port,
  rtcpPort: port.optional().describe('Default: the port after'),
  payloadType: z.int(TYPE).min(0, TYPE).max(127, TYPE).optional().describe('Packets of other types are dropped'),
  parameters: z
    .record(z.string().toLowerCase(), z.string(PARAMETERS), PARAMETERS)
    .readonly()
    .optional()
    .describe('As an SDP has them: parameter sets, channel_mapping'),
};

const videoLeg = z.strictObject({ ...leg, codec: videoCodec.default('h264') });
const audioLeg = z.strictObject({ ...leg, codec: audioCodec.default('opus'), channels: channels.optional() });

/** RTP that somebody else sends. */
export const rtpSchema = z
  .strictObject({
    video: z.union([port.transform((number) => ({ port: number })).pipe(videoLeg), videoLeg], PORT).optional(),
    audio: z.union([port.transform((number) => ({ port: number })).pipe(audioLeg), audioLeg], PORT).optional(),
    /** Loopback unless told otherwise: RTP has no authentication. */
    host: z
      .string(HOST)
      .refine((text) => isIP(text) !== 0, HOST)
      .default('127.0.0.1'),
  })
  .superRefine(({ video, audio }, context) => {
    const fault = (message: string, ...path: string[]) => context.addIssue({ code: 'custom', message, path });
    if (!video && !audio) fault('needs a video port, an audio port or both');
    const ports = [video, audio].flatMap((each) => (each ? portsOf(each) : []));
    if (new Set(ports).size < ports.length) {
      fault('keep the ports of video and audio at least 2 apart: the one after each is for its RTCP');
    }
    for (const [kind, each] of Object.entries({ video, audio })) {
      const message = each?.parameters && parameterFault(each.codec, new Map(Object.entries(each.parameters)));
      if (message) fault(message, kind, 'parameters');
    }
    if (audio?.codec === 'multiopus' && channelsOf(audio).channels === undefined) {
      fault('multiopus has 3 to 8 channels: give their number, or channel_mapping in parameters', 'audio', 'channels');
    }
  });

export type RtpSpec = z.output<typeof rtpSchema>;
type VideoLegSpec = NonNullable<RtpSpec['video']>;
type AudioLegSpec = NonNullable<RtpSpec['audio']>;
export type RtpLegSpec = VideoLegSpec | AudioLegSpec;

/** Those that are taken whatever the system chooses (RFC 3550 §11). */
function portsOf({ port, rtcpPort = port + 1 }: RtpLegSpec): number[] {
  return port === 0 ? [] : [...new Set([port, rtcpPort])];
}

/** How many channels multiopus was said to have; nothing of other codecs. */
export function channelsOf({ codec, channels, parameters }: AudioLegSpec): { channels?: number } {
  if (codec !== 'multiopus') return {};
  const mapping = /^\d(,\d){2,7}$/.exec(parameters?.channel_mapping ?? '')?.[0].split(',');
  const count = channels ?? mapping?.length;
  return count === undefined ? {} : { channels: count };
}

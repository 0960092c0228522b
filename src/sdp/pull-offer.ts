import { type MediaDescription, write } from 'sdp-transform';
import { AUDIO_CODECS, type Codec, RTP_NAMES, VIDEO_CODECS } from '../engine/codecs.ts';
import type { AnsweredLeg, LegKind, PullSpec, Transport } from '../engine/port.ts';
import { describe, NO_ADDRESS, PROTO, rtpmap } from './accept.ts';
import { withAnnounced } from './answer.ts';
import { CODECS } from './codecs/table.ts';
import { readEngine } from './engine.ts';

/** One m-line of an offer that asks another server for a leg. */
export interface OfferedFormat extends Omit<AnsweredLeg, 'kind'> {
  payloadType: number;
}

export interface PullLine {
  kind: LegKind;
  mid: string;
  /** What each payload type stands for. */
  formats: readonly OfferedFormat[];
  /** Without the transport. */
  section: MediaDescription;
}

/** What the engine sends to whoever feeds it. No retransmission format: repeated packets come as they were. */
const FEEDBACK = { video: ['nack', 'nack pli', 'ccm fir', 'goog-remb'], audio: ['nack'] };

/** The m-lines that ask for these legs, in every codec there is. */
export function pullLines(legs: readonly LegKind[]): PullLine[] {
  const types = payloadTypes();
  return legs.map((kind, index) => {
    const mid = String(index);
    const wanted = (kind === 'video' ? VIDEO_CODECS : AUDIO_CODECS).flatMap((codec) => wantedOf(codec, types));
    const section: MediaDescription = {
      type: kind,
      port: 9,
      protocol: PROTO,
      connection: NO_ADDRESS,
      payloads: wanted.map(({ payloadType }) => payloadType).join(' '),
      rtp: wanted.map(({ payloadType, codec, channels }) =>
        rtpmap(payloadType, codec, channels ?? CODECS[codec].channels),
      ),
      fmtp: wanted.flatMap(({ payloadType, config }) => (config === '' ? [] : [{ payload: payloadType, config }])),
      rtcpFb: wanted.flatMap(({ payloadType }) => FEEDBACK[kind].map((type) => ({ payload: payloadType, type }))),
      mid,
      direction: 'recvonly',
      rtcpMux: 'rtcp-mux',
      rtcpRsize: 'rtcp-rsize',
    };
    const formats = wanted.map(({ config: _, ...format }) => format);
    return { kind, mid, formats, section };
  });
}

/** The lines as the engine takes them. */
export function pullMedia(lines: readonly PullLine[]): PullSpec['media'] {
  return lines.map(({ kind, mid, section }) => ({ kind, mid, description: describe(section) }));
}

/**
 * The offer (RFC 8829 §5.2.1), and a fragment that says that no candidate will follow it (RFC 8840 §8.2 and §9).
 * `announce` are IP addresses that lead to the engine's port besides those it knows.
 */
export function writeOffer(
  lines: readonly PullLine[],
  transport: Transport,
  announce: readonly string[],
): { offer: string; fragment: string } {
  const { origin, ufrag, pwd, fingerprint, candidates } = readEngine(transport);
  const offer = write({
    version: 0,
    origin: { ...origin, netType: 'IN', ipVer: 4, address: '127.0.0.1' },
    name: '-',
    timing: { start: 0, stop: 0 },
    iceOptions: 'ice2',
    groups: [{ type: 'BUNDLE', mids: lines.map(({ mid }) => mid).join(' ') }],
    media: lines.map(({ section }, index) => ({
      ...section,
      iceUfrag: ufrag,
      icePwd: pwd,
      fingerprint,
      // Who can be reached by a candidate has a pair last: libdatachannel would lose the first message of a handshake
      // that came before, and the next one is due a second later.
      setup: 'active',
      ...(index === 0 && { candidates: withAnnounced(candidates, announce), endOfCandidates: 'end-of-candidates' }),
    })),
  });
  const [{ kind, mid } = { kind: 'video', mid: '0' }] = lines;
  const fragment = [
    ...[`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`],
    ...[`m=${kind} 9 ${PROTO} 0`, `a=mid:${mid}`, 'a=end-of-candidates', ''],
  ].join('\r\n');
  return { offer, fragment };
}

/** RFC 3551 §6: the dynamic ones, then those that nobody has taken since. */
function* payloadTypes(): Generator<number, void> {
  for (let type = 96; type <= 127; type++) yield type;
  for (let type = 35; type <= 63; type++) yield type;
}

function wantedOf(codec: Codec, types: Generator<number, void>) {
  const { staticType } = RTP_NAMES[codec];
  return CODECS[codec].offer().flatMap((format) => {
    const payloadType = staticType ?? types.next().value;
    return payloadType === undefined ? [] : [{ ...format, codec, payloadType }];
  });
}

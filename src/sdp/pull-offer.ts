import { type MediaDescription, write } from 'sdp-transform';
import type { LegKind, PullSpec, Transport } from '../engine/port.ts';
import { describe, NO_ADDRESS, PROTO } from './accept.ts';
import { withAnnounced } from './answer.ts';
import { readEngine } from './engine.ts';

/** One m-line of an offer that asks another server for a leg. */
export interface PullLine {
  kind: LegKind;
  mid: string;
  /** Without the transport. */
  section: MediaDescription;
}

/** Every profile that a viewer of ours may want; the level counts for nothing (RFC 6184 §8.2.2). */
const PROFILES = ['42e01f', '42001f', '4d001f', '640c1f', '64001f'];
/** Dynamic ones (RFC 3551 §6), as browsers have them. */
const VIDEO_PAYLOAD = 96;
const AUDIO_PAYLOAD = 111;
/** What the engine sends to whoever feeds it. No retransmission format: repeated packets come as they were. */
const FEEDBACK = { video: ['nack', 'nack pli', 'ccm fir', 'goog-remb'], audio: ['nack'] };

/** The m-lines that ask for these legs. */
export function pullLines(legs: readonly LegKind[]): PullLine[] {
  return legs.map((kind, index) => {
    const mid = String(index);
    const formats = kind === 'video' ? h264() : opus();
    const section: MediaDescription = {
      type: kind,
      port: 9,
      protocol: PROTO,
      connection: NO_ADDRESS,
      payloads: formats.rtp.map(({ payload }) => payload).join(' '),
      ...formats,
      rtcpFb: formats.rtp.flatMap(({ payload }) => FEEDBACK[kind].map((type) => ({ payload, type }))),
      mid,
      direction: 'recvonly',
      rtcpMux: 'rtcp-mux',
      rtcpRsize: 'rtcp-rsize',
    };
    return { kind, mid, section };
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

function h264(): Pick<MediaDescription, 'rtp' | 'fmtp'> {
  const rtp = PROFILES.map((_, index) => ({ payload: VIDEO_PAYLOAD + index, codec: 'H264', rate: 90000 }));
  const fmtp = PROFILES.map((profile, index) => ({
    payload: VIDEO_PAYLOAD + index,
    config: `level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=${profile}`,
  }));
  return { rtp, fmtp };
}

function opus(): Pick<MediaDescription, 'rtp' | 'fmtp'> {
  return {
    rtp: [{ payload: AUDIO_PAYLOAD, codec: 'opus', rate: 48000, encoding: 2 }],
    fmtp: [{ payload: AUDIO_PAYLOAD, config: 'minptime=10;useinbandfec=1;stereo=1' }],
  };
}

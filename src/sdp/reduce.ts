import { type MediaDescription, write } from 'sdp-transform';
import { type Accepted, PROTO } from './accept.ts';
import type { MediaOffer, Offer } from './offer.ts';
import type { IceChecks, RemoteTransport } from './transport.ts';

/**
 * The offer as the engine is to see it: the accepted lines, in them only what was accepted, and one transport for all
 * (RFC 9143 §7.3.1). Nothing of the client's text gets through unread. Its candidates are left out where it alone begins
 * checks: its address then shows by its own.
 */
export function reduceOffer(
  offer: Offer,
  accepted: Accepted[],
  tag: MediaOffer,
  remote: RemoteTransport,
  checks: IceChecks,
): string {
  return write({
    version: 0,
    origin: { username: '-', sessionId: 1, sessionVersion: 1, netType: 'IN', ipVer: 4, address: '127.0.0.1' },
    name: '-',
    timing: { start: 0, stop: 0 },
    ...(offer.iceLite && { icelite: 'ice-lite' as const }),
    ...(offer.bundle && { groups: [{ type: 'BUNDLE', mids: accepted.map(({ media }) => media.mid).join(' ') }] }),
    media: accepted.map((each) => reduceLine(each, remote, each.line === tag, checks)),
  });
}

function reduceLine(
  { answer, media }: Accepted,
  remote: RemoteTransport,
  tagged: boolean,
  checks: IceChecks,
): MediaDescription {
  const { msid: _msid, ssrcs: _ssrcs, ssrcGroups: _groups, ...shared } = answer;
  const viewer = answer.direction === 'sendonly';
  return {
    ...shared,
    protocol: PROTO,
    ext: (answer.ext ?? []).map(({ value, uri }) => ({ value, uri })),
    direction: viewer ? 'recvonly' : 'sendonly',
    iceUfrag: remote.ufrag,
    icePwd: remote.pwd,
    fingerprint: remote.fingerprint,
    // Whom it may leave the choice to is the DTLS client: the server chooses the SRTP profile.
    setup: remote.setup === 'passive' ? 'passive' : 'active',
    // libdatachannel tells a publisher's tracks apart by SSRC.
    ...(!viewer && media.ssrc !== 0 && { ssrcs: [{ id: media.ssrc, attribute: 'cname', value: media.mid }] }),
    ...(tagged && checks === 'both' && { candidates: remote.candidates }),
  };
}

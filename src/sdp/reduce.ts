import { type MediaDescription, write } from 'sdp-transform';
import { type Accepted, PROTO } from './accept.ts';
import type { MediaOffer, Offer } from './offer.ts';
import type { RemoteTransport } from './transport.ts';

/**
 * The offer as the engine is to see it: the accepted lines, in them only what was accepted, and one transport for all
 * (RFC 9143 §7.3.1). Nothing of the client's text gets through unread.
 */
export function reduceOffer(offer: Offer, accepted: Accepted[], tag: MediaOffer, remote: RemoteTransport): string {
  return write({
    version: 0,
    origin: { username: '-', sessionId: 1, sessionVersion: 1, netType: 'IN', ipVer: 4, address: '127.0.0.1' },
    name: '-',
    timing: { start: 0, stop: 0 },
    ...(offer.iceLite && { icelite: 'ice-lite' as const }),
    ...(offer.bundle && { groups: [{ type: 'BUNDLE', mids: accepted.map(({ media }) => media.mid).join(' ') }] }),
    media: accepted.map((each) => reduceLine(each, remote, each.line === tag)),
  });
}

function reduceLine({ answer, media }: Accepted, remote: RemoteTransport, tagged: boolean): MediaDescription {
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
    setup: remote.setup,
    // libdatachannel tells a publisher's tracks apart by SSRC.
    ...(!viewer && media.ssrc !== 0 && { ssrcs: [{ id: media.ssrc, attribute: 'cname', value: media.mid }] }),
    ...(tagged && { candidates: remote.candidates }),
  };
}

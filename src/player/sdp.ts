/** The offer with stereo asked for (RFC 7587 §6.1): without it browsers decode Opus to one channel. */
export function withStereo(offer: string): string {
  const payload = /^a=rtpmap:(\d+) opus\/48000/im.exec(offer)?.[1];
  if (payload === undefined) return offer;
  return offer.replace(new RegExp(`^a=fmtp:${payload} (?!.*\\bstereo=)[^\\r\\n]*`, 'm'), '$&;stereo=1');
}

/** The ICE servers in a response's Link header (draft-ietf-wish-whep-04 §4.6). */
export function iceServers(link: string | null): RTCIceServer[] {
  const servers: RTCIceServer[] = [];
  for (const [, uri, parameters] of (link ?? '').matchAll(
    /<([^>]*)>((?:\s*;\s*[\w-]+=(?:"(?:\\.|[^"\\])*"|[^\s;,]+))*)/g,
  )) {
    const values = new Map<string, string>();
    for (const [, name, quoted, bare] of (parameters ?? '').matchAll(
      /;\s*([\w-]+)=(?:"((?:\\.|[^"\\])*)"|([^\s;,]+))/g,
    )) {
      values.set((name ?? '').toLowerCase(), bare ?? (quoted ?? '').replace(/\\(.)/g, '$1'));
    }
    if (values.get('rel') !== 'ice-server' || uri === undefined) continue;
    const [username, credential] = [values.get('username'), values.get('credential')];
    servers.push({
      urls: uri,
      ...(username !== undefined && { username }),
      ...(credential !== undefined && { credential }),
    });
  }
  return servers;
}

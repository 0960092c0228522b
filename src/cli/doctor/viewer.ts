import { loadLibrary } from '../../engine/portable/library.ts';
import { openLoad } from '../bench/load.ts';
import { pause } from '../bench/measure.ts';

/** A WHEP viewer on this machine that shows nothing. */
export interface Viewer {
  /** Milliseconds to the answer. Rejects with what kept it out. */
  join(url: string): Promise<number>;
  /** What has come so far; `picture`: milliseconds from the POST to the first of it. */
  seen(): { packets: number; picture: number | undefined };
  close(): Promise<void>;
}

/** One of the addon's. Throws `engine-unavailable`. */
export function nativeViewer(host: string): Viewer {
  const load = openLoad({ host });
  return {
    async join(url) {
      const { posts, failures } = await load.join({ url, viewers: 1, over: 0, group: 0 });
      if (posts[0] === undefined) throw new Error(failures[0]);
      return posts[0];
    },
    seen: () => ({ packets: load.sample(0).packets, picture: load.arrivals(0).firstKeyframes[0] }),
    close: () => load.close(),
  };
}

/** One of the portable engine's library: a process holds one engine. Rejects with `engine-unavailable`. */
export async function portableViewer(host: string): Promise<Viewer> {
  const library = await loadLibrary();
  const peer = new library.PeerConnection('viewer', {
    iceServers: [],
    bindAddress: host,
    disableAutoNegotiation: true,
  });
  const video = new library.Video('video', 'RecvOnly');
  video.addH264Codec(96);
  const audio = new library.Audio('audio', 'RecvOnly');
  audio.addOpusCodec(111);
  const tracks = [video, audio].map((media) => peer.addTrack(media));
  let [posted, packets] = [0, 0];
  let picture: number | undefined;
  for (const track of tracks) {
    track.onMessage(() => {
      packets++;
      // The first that a server sends of video is a keyframe.
      if (track === tracks[0]) picture ??= performance.now() - posted;
    });
  }
  return {
    async join(url) {
      peer.setLocalDescription('offer');
      while (peer.gatheringState() !== 'complete') await pause(1);
      posted = performance.now();
      const body = withoutCandidates(peer.localDescription()?.sdp ?? '');
      const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body });
      const answer = await response.text();
      if (response.status !== 201) throw new Error(`POST ${url}: ${response.status} ${answer}`);
      const took = performance.now() - posted;
      peer.setRemoteDescription(answer, 'answer');
      return took;
    },
    seen: () => ({ packets, picture }),
    async close() {
      for (const track of tracks) track.close();
      peer.close();
    },
  };
}

/** A server that checks them at once has DTLS up before libdatachannel knows the answer's fingerprint. */
function withoutCandidates(offer: string): string {
  return offer.replaceAll(/^a=(candidate:|end-of-candidates).*\r?\n/gm, '');
}

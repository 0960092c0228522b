import type { Page } from 'playwright-core';

/** How one more viewer of a stream of numbered pictures fared, beside a player that watches already. */
export interface Join {
  /** Milliseconds from its POST to the answer, to the first picture, and to one at most three behind the player's. */
  answered: number;
  pictured: number;
  live: number;
  /** Numbers of its first picture, of the player's then, and of the player's at the POST. */
  first: number;
  firstReference: number;
  posted: number;
  freezes: number;
  /** PLI and FIR that it sent. */
  keyframeRequests: number;
  keyframes: number;
  lost: number;
}

/** What the picture measures, in pixels; where the number is follows from it. */
export interface PictureSize {
  width: number;
  height: number;
}

/** Joins `cam1` in a page that plays it, watches for half a second at the live edge, and leaves. */
export function joinOnce(page: Page, size: PictureSize): Promise<Join> {
  return page.evaluate(joinInPage, size);
}

async function joinInPage({ width, height }: PictureSize): Promise<Join> {
  const reference = document.querySelector('video');
  if (reference === null) throw new Error('no player');
  const video = document.createElement('video');
  Object.assign(video, { muted: true, autoplay: true, playsInline: true });
  document.body.append(video);
  const canvas = new OffscreenCanvas(width, 2);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('no canvas');
  // The lowest ninth has two rows of 16 blocks: a picture's number, and under it the same inverted.
  const rows = [33 / 36, 35 / 36].map((share) => Math.floor(height * share));
  const number = (element: HTMLVideoElement) => {
    context.clearRect(0, 0, width, 2);
    rows.forEach((row, index) => {
      context.drawImage(element, 0, row, width, 1, 0, index, width, 1);
    });
    const { data } = context.getImageData(0, 0, width, 2);
    const bit = (index: number, row: number) =>
      Number((data[(row * width + Math.floor((index + 0.5) * (width / 16))) * 4] ?? 0) > 128);
    const places = [...Array(16).keys()];
    // A callback may come before its picture can be drawn.
    if (!places.every((index) => bit(index, 0) !== bit(index, 1))) return undefined;
    return places.reduce((sum, index) => sum * 2 + bit(index, 0), 0);
  };
  const peer = new RTCPeerConnection();
  const stream = new MediaStream();
  peer.ontrack = ({ track }) => stream.addTrack(track);
  video.srcObject = stream;
  peer.addTransceiver('video', { direction: 'recvonly' });
  peer.addTransceiver('audio', { direction: 'recvonly' });
  await peer.setLocalDescription();
  const posted = number(reference) ?? 0;
  const start = performance.now();
  const response = await fetch('/whep/cam1', {
    method: 'POST',
    headers: { 'content-type': 'application/sdp' },
    body: peer.localDescription?.sdp ?? '',
  });
  const answered = performance.now() - start;
  const sdp = await response.text();
  if (response.status !== 201) throw new Error(`${response.status} ${sdp}`);
  let pictured = 0;
  let shown: { first: number; firstReference: number } | undefined;
  const edge = new Promise<number>((resolve, reject) => {
    setTimeout(() => reject(new Error('never at the live edge')), 20_000);
    const look = () => {
      pictured ||= performance.now() - start;
      const [own, theirs] = [number(video), number(reference)];
      if (own !== undefined && theirs !== undefined) {
        shown ??= { first: own, firstReference: theirs };
        const behind = (theirs - own + 65_536) % 65_536;
        if (behind <= 3 || behind > 60_000) return resolve(performance.now() - start);
      }
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  });
  await peer.setRemoteDescription({ type: 'answer', sdp });
  const live = await edge;
  if (shown === undefined) throw new Error('no picture');
  await new Promise((resolve) => setTimeout(resolve, 500));
  const reports = [...(await peer.getStats()).values()];
  const inbound = reports.find((each) => each.type === 'inbound-rtp' && each.kind === 'video');
  peer.close();
  video.remove();
  await fetch(response.headers.get('location') ?? '', { method: 'DELETE' });
  return {
    answered,
    pictured,
    live,
    posted,
    ...shown,
    freezes: inbound?.freezeCount ?? 0,
    keyframeRequests: (inbound?.pliCount ?? 0) + (inbound?.firCount ?? 0),
    keyframes: inbound?.keyFramesDecoded ?? 0,
    lost: inbound?.packetsLost ?? 0,
  };
}

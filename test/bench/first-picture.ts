/**
 * How long a viewer in Chromium waits: from its POST to the 201, to the first picture, and to the live edge.
 *
 *   scripts/bench first-picture [--runtime node|bun|deno] [--joins 20] [--gop 60] [--no-cache]
 *
 * FFmpeg sends 720p30 at 2 Mbit/s whose pictures tell their number. A player watches all the time; each join, at a random
 * moment, is compared with it picture by picture: at the live edge it is at most 100 ms behind.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Chromium } from '../support/chromium.ts';
import { numberedBars, sendRtp } from '../support/picture.ts';
import type { Runtime } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

interface Join {
  answered: number;
  pictured: number;
  live: number;
  freezes: number;
  keyframeRequests: number;
  lost: number;
}

const { values } = parseArgs({
  options: {
    runtime: { type: 'string', default: 'node' },
    joins: { type: 'string', default: '20' },
    gop: { type: 'string', default: '60' },
    'no-cache': { type: 'boolean', default: false },
  },
});

const config = join(tmpdir(), `first-picture-${process.pid}.json`);
writeFileSync(
  config,
  JSON.stringify({ streams: { cam1: 'rtp:0,0' }, instantStart: !values['no-cache'], maxViewersPerStream: 100 }),
);
const server = await startServer(values.runtime as Runtime, ['--config', config]);
const ffmpeg = sendRtp(server.announcement.streams.cam1 ?? {}, numberedBars({ width: 1280, height: 720 }), [
  ...['-g', values.gop, '-b:v', '2M', '-maxrate', '2M', '-bufsize', '2M'],
]);
const browser = await Chromium.launch();
try {
  await server.live();
  const tab = await browser.watch(`${server.url}/play/cam1`);
  await tab.frames(60);
  const joins: Join[] = [];
  for (let count = 0; count < Number(values.joins); count += 1) {
    await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 2000));
    joins.push(await tab.page.evaluate(joinOnce));
    process.stderr.write('.');
  }
  process.stderr.write('\n');
  const column = (name: keyof Join) => joins.map((each) => each[name]).sort((a, b) => a - b);
  const at = (name: keyof Join, share: number) => {
    const sorted = column(name);
    return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN);
  };
  const times = (name: keyof Join) => ({ median: at(name, 0.5), p95: at(name, 0.95) });
  const total = (name: keyof Join) => column(name).reduce((sum, value) => sum + value, 0);
  console.log(
    JSON.stringify({
      runtime: values.runtime,
      gop: Number(values.gop),
      instantStart: !values['no-cache'],
      joins: joins.length,
      milliseconds: { answered: times('answered'), pictured: times('pictured'), live: times('live') },
      freezes: total('freezes'),
      keyframeRequests: total('keyframeRequests'),
      lost: total('lost'),
    }),
  );
} finally {
  ffmpeg.kill('SIGKILL');
  await browser.close();
  await server.stop();
}

/** Runs in the page, beside the player that watches already. */
async function joinOnce(): Promise<Join> {
  const reference = document.querySelector('video');
  if (reference === null) throw new Error('no player');
  const video = document.createElement('video');
  Object.assign(video, { muted: true, autoplay: true, playsInline: true });
  document.body.append(video);
  const canvas = new OffscreenCanvas(1280, 80);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('no canvas');
  const number = (element: HTMLVideoElement) => {
    context.drawImage(element, 0, 640, 1280, 80, 0, 0, 1280, 80);
    const { data } = context.getImageData(0, 20, 1280, 1);
    return [...Array(16).keys()].reduce((sum, bit) => sum * 2 + ((data[(bit * 80 + 40) * 4] ?? 0) > 128 ? 1 : 0), 0);
  };
  const peer = new RTCPeerConnection();
  const stream = new MediaStream();
  peer.ontrack = ({ track }) => stream.addTrack(track);
  video.srcObject = stream;
  peer.addTransceiver('video', { direction: 'recvonly' });
  peer.addTransceiver('audio', { direction: 'recvonly' });
  await peer.setLocalDescription();
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
  const edge = new Promise<number>((resolve, reject) => {
    setTimeout(() => reject(new Error('never at the live edge')), 20_000);
    const look = () => {
      pictured ||= performance.now() - start;
      const behind = (number(reference) - number(video) + 65_536) % 65_536;
      if (behind <= 3 || behind > 60_000) resolve(performance.now() - start);
      else video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  });
  await peer.setRemoteDescription({ type: 'answer', sdp });
  const live = await edge;
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
    freezes: inbound?.freezeCount ?? 0,
    keyframeRequests: inbound?.pliCount ?? 0,
    lost: inbound?.packetsLost ?? 0,
  };
}

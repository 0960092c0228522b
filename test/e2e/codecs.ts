import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CaptureSender } from '../support/capture-sender.ts';
import { CaptureViewer, withSender } from '../support/capture-viewer.ts';
import { browserFor } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningServer, withServer } from '../support/server.ts';

const test = suite('codecs in Chromium');
const browser = browserFor(test);

interface Case {
  video: 'VP8' | 'VP9' | 'AV1';
  capture: string;
  /** As `CaptureViewer.join` has it. */
  fresh: number;
  /** What takes over from it, a keyframe every `GOP` frames. */
  next: string;
  audio?: 'PCMU' | 'PCMA' | 'G722';
}

const GOP = 15;
const CASES: readonly Case[] = [
  { video: 'VP8', capture: 'vp8-ffmpeg', fresh: 8, next: 'vp8-gstreamer', audio: 'PCMU' },
  { video: 'VP9', capture: 'vp9-ffmpeg', fresh: 8, next: 'vp9-gstreamer', audio: 'PCMA' },
  { video: 'VP9', capture: 'vp9-chromium-l2t3key', fresh: 8, next: 'vp9-ffmpeg' },
  { video: 'AV1', capture: 'av1-ffmpeg-hidden', fresh: 8, next: 'av1-ffmpeg', audio: 'G722' },
  { video: 'AV1', capture: 'av1-chromium-l2t2', fresh: 7, next: 'av1-ffmpeg-1472' },
];

/** Gives `look` a viewer of each case, all at once. */
async function watchAll(
  look: (viewer: CaptureViewer, server: RunningServer, each: Case) => Promise<void>,
): Promise<void> {
  const streams = CASES.flatMap(({ capture, video, audio }) => {
    const sound = audio === undefined ? '' : `,0/${audio.toLowerCase()}`;
    return ['--stream', `${capture}=rtp:0/${video.toLowerCase()}${sound}`];
  });
  const watch = (server: RunningServer, each: Case) =>
    withSender(each.capture, server.announcement.streams[each.capture]?.video, async (sender) => {
      const viewer = await CaptureViewer.join(browser, `${server.url}/play/${each.capture}`, sender, each.fresh);
      try {
        await look(viewer, server, each);
      } finally {
        viewer.sender.stop();
        await viewer.tab.page.close();
      }
    });
  await withServer('node', streams, async (server) => {
    await Promise.all(CASES.map((each) => watch(server, each)));
  });
}

test('who joins in mid-GOP has what the cache has of it, then every frame, and sound', () =>
  watchAll(async (viewer, server, { capture, video, audio }) => {
    const port = server.announcement.streams[capture]?.audio;
    const speaker = audio && new CaptureSender(`${audio.toLowerCase()}-ffmpeg`, port);
    try {
      assert.is((await viewer.playsEveryFrame()).videoCodec, `video/${video}`);
      const stream = (await server.stats()).streams[capture];
      assert.is(stream?.video?.codec, video.toLowerCase());
      if (audio === undefined) return;
      await viewer.tab.unmute();
      await eventually('something to hear', async () => (await viewer.tab.media()).audioEnergy > 0);
      assert.is((await viewer.tab.media()).audioCodec, `audio/${audio}`);
      assert.is(stream?.audio?.codec, audio.toLowerCase());
    } finally {
      speaker?.stop();
    }
  }));

test('who asks for a keyframe has the GOP once more, and then every frame', () =>
  watchAll(async (viewer) => {
    const request = await viewer.tab.keyframeRequester();
    viewer.sender.resume();
    await viewer.tab.frames(20);
    await request();
    await viewer.rewound(GOP);
    await viewer.playsEveryFrame(1);
  }));

test('another source of the same codec is followed from a keyframe on', () =>
  watchAll(async (viewer, server, { capture, next }) => {
    viewer.sender.resume();
    await viewer.tab.frames(20);
    await viewer.caughtUp();
    await viewer.follow(new CaptureSender(next, server.announcement.streams[capture]?.video), GOP);
    await viewer.playsEveryFrame();
    assert.is(viewer.tab.sessions.length, 1);
  }));

test('the player says which codec this browser cannot decode', () =>
  withServer('node', ['--stream', 'cam1=rtp:0/h265'], (server) =>
    withSender('h265-ffmpeg', server.announcement.streams.cam1?.video, async () => {
      await server.live();
      const tab = await browser.watch(`${server.url}/play/cam1`);
      await eventually('the notice', async () => /cannot decode H265/.test((await tab.status()) ?? ''));
      assert.is(tab.sessions.length, 0);
      await tab.page.close();
    }),
  ));

test.run();

import { readFileSync } from 'node:fs';
import { createServer } from 'fetch-whep';
import { serve } from 'fetch-whep/serve';

// Frames from any encoder will do, such as those of WebCodecs. Here they are ready: the built-in clip.
const clip = (name: string) => readFileSync(new URL(`clip/${name}`, import.meta.resolve('fetch-whep')));
const pictures = accessUnits(clip('clip.h264'));
const sounds = opusPackets(clip('clip.opus'));

const server = await createServer({ streams: { demo: 'push' } });
const { url } = await serve(server, { port: 8080 });
console.log(`watch at ${url}/play/demo`);

const start = performance.now();
const positions = { video: 0, audio: 0 };
setInterval(() => {
  const now = (performance.now() - start) * 1000;
  push('video', pictures, 1_000_000 / 30, now);
  push('audio', sounds, 20_000, now);
}, 10);

/** Hands over what is due; times are in microseconds. What is refused now is offered again a little later. */
function push(leg: 'video' | 'audio', frames: Uint8Array[], duration: number, now: number): void {
  for (; positions[leg] * duration <= now; positions[leg]++) {
    const frame = frames[positions[leg] % frames.length] as Uint8Array;
    if (!server.streams.push('demo', leg, frame, positions[leg] * duration)) return;
  }
}

/** The clip has an access unit delimiter before each picture (H.264 §7.3.2.4). */
function accessUnits(stream: Uint8Array): Uint8Array[] {
  const starts: number[] = [];
  for (let at = 0; at + 3 < stream.length; at++) {
    if (stream[at] === 0 && stream[at + 1] === 0 && stream[at + 2] === 1 && stream[at + 3] === 9) starts.push(at);
  }
  return starts.map((begin, index) => stream.subarray(begin, starts[index + 1]));
}

/** The packets of an Ogg file (RFC 3533 §6) without its two headers; none of the clip's is longer than a page. */
function opusPackets(file: Uint8Array): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let page = 0; page < file.length; ) {
    const lengths = file.subarray(page + 27, page + 27 + (file[page + 26] as number));
    let begin = page + 27 + lengths.length;
    page = begin;
    for (const length of lengths) {
      page += length;
      if (length === 255) continue;
      packets.push(file.subarray(begin, page));
      begin = page;
    }
  }
  return packets.slice(2);
}

import { Buffer } from 'node:buffer';
import { clearTimeout, setTimeout } from 'node:timers';
import { Failure } from '../../errors.ts';
import type { Ingress, LegKind } from '../port.ts';
import { parseOpus } from './opus.ts';

/** A frame and the moment within the clip at which it is due. Milliseconds. */
export interface Cue {
  due: number;
  kind: LegKind;
  data: Buffer;
}

export interface Clip {
  cues: Cue[];
  /** Milliseconds. */
  length: number;
}

/** Takes a clip apart; the video's length is the clip's. Throws `engine-failed`. */
export function parseClip({ video, audio, framesPerSecond }: Ingress & { kind: 'clip' }): Clip {
  const pictures = accessUnits(Buffer.from(video));
  const sounds = opusPackets(Buffer.from(audio));
  if (
    pictures.length === 0 ||
    sounds === undefined ||
    !(framesPerSecond > 0 && framesPerSecond < Number.POSITIVE_INFINITY)
  ) {
    throw new Failure('engine-failed', 'the clip is not Annex B H264 with Ogg Opus');
  }
  const length = (pictures.length * 1000) / framesPerSecond;
  const cues: Cue[] = pictures.map((data, index) => ({ due: (index * 1000) / framesPerSecond, kind: 'video', data }));
  let due = 0;
  for (const data of sounds) {
    const duration = (parseOpus(data)?.duration ?? 0) / 48;
    if (due + duration > length) break;
    cues.push({ due, kind: 'audio', data });
    due += duration;
  }
  return { cues: cues.sort((a, b) => a.due - b.due), length };
}

/** Plays a clip round and round until the returned function is called; gives each frame its time since the start. */
export function playClip({ cues, length }: Clip, frame: (cue: Cue, at: number) => void): () => void {
  const start = performance.now();
  let round = 0;
  let next = 0;
  let timer: NodeJS.Timeout;
  const turn = () => {
    for (;;) {
      const cue = cues[next];
      if (cue === undefined) {
        next = 0;
        round += length;
        continue;
      }
      const wait = start + round + cue.due - performance.now();
      if (wait > 0) {
        timer = setTimeout(turn, wait).unref();
        return;
      }
      next++;
      frame(cue, round + cue.due);
    }
  };
  timer = setTimeout(turn, 0).unref();
  return () => clearTimeout(timer);
}

/** The parts that begin with an access unit delimiter (ITU-T H.264 §7.3.2.4). */
function accessUnits(stream: Buffer): Buffer[] {
  const starts: number[] = [];
  const code = Buffer.from([0, 0, 1]);
  for (let at = stream.indexOf(code); at >= 0; at = stream.indexOf(code, at + 3)) {
    if (((stream[at + 3] ?? 0) & 0x1f) === 9) starts.push(at);
  }
  return starts.map((start, index) => stream.subarray(start, starts[index + 1]));
}

/** The packets of an Ogg file with one stream (RFC 3533 §6), its two headers left out; undefined: it is none. */
function opusPackets(file: Buffer): Buffer[] | undefined {
  const packets: Buffer[] = [];
  const parts: Buffer[] = [];
  for (let page = 0; page < file.length; ) {
    if (file.toString('latin1', page, page + 4) !== 'OggS' || page + 27 > file.length) return undefined;
    const lengths = file.subarray(page + 27, page + 27 + file.readUInt8(page + 26));
    let at = page + 27 + lengths.length;
    for (const length of lengths) {
      parts.push(file.subarray(at, at + length));
      at += length;
      // A segment shorter than 255 bytes ends its packet (§5).
      if (length < 255) packets.push(Buffer.concat(parts.splice(0)));
    }
    page = at;
  }
  const [head, , ...sound] = packets;
  return head?.toString('latin1', 0, 8) === 'OpusHead' ? sound : undefined;
}

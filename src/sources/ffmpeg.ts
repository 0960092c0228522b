import type { Ingress, StreamPorts } from '../engine/port.ts';
import { ffmpegArguments, masked } from './ffmpeg/command.ts';
import { type InputFacts, isUnreachable, probe } from './ffmpeg/probe.ts';
import { Supervisor } from './ffmpeg/supervisor.ts';
import type { Source } from './source.ts';

export interface FfmpegSpec {
  /** A file, a URL, or `lavfi:` and a filter graph whose outputs are the streams. */
  input: string;
}

/** An FFmpeg process of our own that sends H264 and Opus to ports on loopback, and is started again when it ends. */
export function ffmpegSource({ input }: FfmpegSpec): Source {
  let facts: InputFacts | undefined;
  let supervisor: Supervisor | undefined;

  async function ingress(): Promise<Ingress> {
    facts = await probe(input).catch((error: unknown) => {
      // A camera that is off for now: room for both legs, and every start looks again.
      if (isUnreachable(error, input)) return undefined;
      throw error;
    });
    const { video, audio } = facts ?? { video: true, audio: true };
    return { kind: 'rtp', host: '127.0.0.1', ...(video && { video: 0 }), ...(audio && { audio: 0 }) };
  }

  async function start(stream: string, ports: StreamPorts): Promise<void> {
    supervisor = new Supervisor(stream, async () => {
      facts ??= await probe(input);
      return ffmpegArguments(input, facts, ports);
    });
    supervisor.start();
  }

  return {
    kind: 'ffmpeg',
    ingress,
    start,
    stop: async () => supervisor?.stop(),
    describe: () => `ffmpeg:${masked(input)}`,
  };
}

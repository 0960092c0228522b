import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import type { Ingress, LegKind, StreamPorts } from '../engine/port.ts';
import { requireOutside } from './addresses.ts';
import { ffmpegArguments, isUrl, type Output } from './ffmpeg/command.ts';
import { hostOf } from './ffmpeg/fence.ts';
import { sayGoodbye } from './ffmpeg/goodbye.ts';
import { maskFor } from './ffmpeg/mask.ts';
import { type Plan, planOf, requireSame, type SentCodecs, sentBy } from './ffmpeg/plan.ts';
import { ffmpegMissing, type InputFacts, probe } from './ffmpeg/probe.ts';
import type { FfmpegSpec } from './ffmpeg/spec.ts';
import { Supervisor } from './ffmpeg/supervisor.ts';
import { requireAv1 } from './ffmpeg/version.ts';
import type { FfmpegReport, Source } from './source.ts';

/**
 * An FFmpeg process of our own that sends to ports on loopback, and is started again when it ends. `outside`:
 * see `createSource`; the spec is one that `fenced` made.
 */
export function ffmpegSource(spec: FfmpegSpec, outside = false): Source {
  const mask = maskFor(spec.args ?? [], spec.input);
  const input = mask(spec.input);
  let facts: InputFacts | undefined;
  let plan: Plan | undefined;
  let opened: SentCodecs = {};
  let supervisor: Supervisor | undefined;

  async function ingress(signal: AbortSignal): Promise<Ingress> {
    opened = isUrl(spec.input) ? await expected(signal) : await found(signal);
    if (opened.video === 'av1') await requireAv1(signal);
    const { video, audio } = opened;
    return {
      kind: 'rtp',
      host: '127.0.0.1',
      ...(video && { video: { port: 0, codec: video } }),
      ...(audio && { audio: { port: 0, codec: audio } }),
    };
  }

  async function look(signal: AbortSignal): Promise<InputFacts> {
    // Names may lead elsewhere by now.
    if (outside) await requireOutside(hostOf(spec.input), 'the input');
    facts ??= await probe(spec, signal);
    return facts;
  }

  async function found(signal: AbortSignal): Promise<SentCodecs> {
    const known = await look(signal);
    return sentBy(planOf(spec, known), known);
  }

  /**
   * A camera may be slow, or off for now: there is room for all legs, and each start looks at it. What is to be copied is
   * looked at once before, since the room is for one codec; of what does not answer the usual is expected.
   */
  async function expected(signal: AbortSignal): Promise<SentCodecs> {
    requirePrograms();
    const { video = 'h264', audio = 'opus' } = spec;
    const copies = video === 'copy' || audio === 'copy';
    const copied = copies ? await found(signal).catch((): SentCodecs => ({})) : {};
    signal.throwIfAborted();
    return {
      ...(video !== 'none' && { video: video === 'copy' ? (copied.video ?? 'h264') : video }),
      ...(audio !== 'none' && { audio: audio === 'copy' ? (copied.audio ?? 'opus') : audio }),
    };
  }

  async function start(stream: string, ports: StreamPorts): Promise<void> {
    let outputs: Partial<Record<LegKind, Output>> = {};
    supervisor = new Supervisor({
      stream,
      command: async (signal) => {
        const known = await look(signal);
        plan = planOf(spec, known);
        requireSame(opened, sentBy(plan, known));
        outputs = outputsTo(ports);
        return ffmpegArguments(spec, plan, known, outputs);
      },
      gone: (delivered) => {
        sayGoodbye(Object.values(outputs));
        // What could not be played may have become something else.
        if (!delivered) facts = undefined;
      },
      stall: (spec.stallSeconds ?? 15) * 1000,
      forever: spec.loop !== false,
      mask,
    });
    supervisor.start();
  }

  /** What there was room for and did not come is no leg for viewers. */
  function legs(): readonly LegKind[] | undefined {
    const found = plan;
    return found && (['video', 'audio'] as const).filter((leg) => found[leg] !== undefined);
  }

  function report(): { ffmpeg?: FfmpegReport } {
    if (supervisor === undefined) return {};
    const { lastError, ...supervision } = supervisor.supervision;
    // Whoever reads statistics need not know where our inputs are.
    const said = lastError?.replaceAll(input, 'the input');
    return { ffmpeg: { ...supervision, ...plan, ...(said !== undefined && { lastError: said }) } };
  }

  return {
    kind: 'ffmpeg',
    ingress,
    legs,
    start,
    stop: async () => supervisor?.stop(),
    describe: () => `ffmpeg:${input}`,
    report,
  };
}

/** For inputs that are only looked at later. Throws `ffmpeg-missing`. */
function requirePrograms(): void {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = (program: string) => folders.some((folder) => existsSync(join(folder, program)));
  if (!['ffprobe', 'ffmpeg'].every(found)) throw ffmpegMissing();
}

/** Each start has SSRCs of its own: a receiver tells one FFmpeg from the next by them. FFmpeg takes 31 bits. */
function outputsTo({ video, audio }: StreamPorts): Partial<Record<LegKind, Output>> {
  const output = (port: number): Output => ({ port, ssrc: randomInt(1, 2 ** 31) });
  return { ...(video && { video: output(video) }), ...(audio && { audio: output(audio) }) };
}

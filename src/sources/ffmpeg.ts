import { randomInt } from 'node:crypto';
import type { Ingress, LegKind, StreamPorts } from '../engine/port.ts';
import { requireOutside } from './addresses.ts';
import { ffmpegArguments, type Output } from './ffmpeg/command.ts';
import { hostOf } from './ffmpeg/fence.ts';
import { sayGoodbye } from './ffmpeg/goodbye.ts';
import { maskFor } from './ffmpeg/mask.ts';
import { type Plan, planOf } from './ffmpeg/plan.ts';
import { type InputFacts, isUnreachable, probe } from './ffmpeg/probe.ts';
import type { FfmpegSpec } from './ffmpeg/spec.ts';
import { Supervisor } from './ffmpeg/supervisor.ts';
import type { FfmpegReport, Source } from './source.ts';

/**
 * An FFmpeg process of our own that sends H264 and Opus to ports on loopback, and is started again when it ends. `outside`:
 * see `createSource`; the spec is one that `fenced` made.
 */
export function ffmpegSource(spec: FfmpegSpec, outside = false): Source {
  const mask = maskFor(spec.args ?? [], spec.input);
  const input = mask(spec.input);
  let facts: InputFacts | undefined;
  let plan: Plan = {};
  let supervisor: Supervisor | undefined;

  async function ingress(signal: AbortSignal): Promise<Ingress> {
    facts = await probe(spec, signal).catch((error: unknown) => {
      // A camera that is off for now: room for all legs, and every start looks again.
      if (isUnreachable(error, spec.input)) return undefined;
      throw error;
    });
    const legs = facts ? planOf(spec, facts) : { video: spec.video !== 'none', audio: spec.audio !== 'none' };
    return { kind: 'rtp', host: '127.0.0.1', ...(legs.video && { video: 0 }), ...(legs.audio && { audio: 0 }) };
  }

  async function start(stream: string, ports: StreamPorts): Promise<void> {
    let outputs: Partial<Record<LegKind, Output>> = {};
    supervisor = new Supervisor({
      stream,
      command: async (signal) => {
        // Names may lead elsewhere by now.
        if (outside) await requireOutside(hostOf(spec.input), 'the input');
        facts ??= await probe(spec, signal);
        plan = planOf(spec, facts);
        outputs = outputsTo(ports);
        return ffmpegArguments(spec, plan, facts, outputs);
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
    start,
    stop: async () => supervisor?.stop(),
    describe: () => `ffmpeg:${input}`,
    report,
  };
}

/** Each start has SSRCs of its own: a receiver tells one FFmpeg from the next by them. FFmpeg takes 31 bits. */
function outputsTo({ video, audio }: StreamPorts): Partial<Record<LegKind, Output>> {
  const output = (port: number): Output => ({ port, ssrc: randomInt(1, 2 ** 31) });
  return { ...(video && { video: output(video) }), ...(audio && { audio: output(audio) }) };
}

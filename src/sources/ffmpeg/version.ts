import { Failure } from '../../errors.ts';
import { GuardedProcess } from './guard.ts';
import { ffmpegMissing } from './probe.ts';

/** The first major version whose RTP takes AV1. */
const AV1 = 8;

/** Rejects with `invalid-options` or `ffmpeg-missing` when the FFmpeg there is cannot send AV1. */
export async function requireAv1(signal: AbortSignal): Promise<void> {
  let text = '';
  const child = new GuardedProcess('ffmpeg', ['-version'], (more) => {
    text += more;
  });
  const end = () => child.end();
  signal.addEventListener('abort', end);
  const { code } = await child.ended.finally(() => signal.removeEventListener('abort', end));
  signal.throwIfAborted();
  if (code === 127) throw ffmpegMissing();
  const version = versionOf(text);
  if (!lacksAv1(version)) return;
  const cure = `install FFmpeg ${AV1} or newer, or give another "video"`;
  throw new Failure('invalid-options', `FFmpeg ${version} cannot send AV1 by RTP: ${cure}`);
}

/** As FFmpeg says it: `5.1.9-0+deb12u1`. */
export function versionOf(text: string): string {
  return /^\w+ version (\S+)/m.exec(text)?.[1] ?? 'of unknown version';
}

/** Builds from its repository have no number, and are taken to be new. */
export function lacksAv1(version: string): boolean {
  const [, major] = /^n?(\d+)\./.exec(version) ?? [];
  return major !== undefined && Number(major) < AV1;
}

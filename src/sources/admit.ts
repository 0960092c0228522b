import { Failure } from '../errors.ts';
import { requireOutside } from './addresses.ts';
import { createSource } from './create.ts';
import { fenced, hostOf } from './ffmpeg/fence.ts';
import type { Source } from './source.ts';
import { ADMIN_SOURCES, type AdminSource, type SourceSpec } from './spec.ts';

/**
 * A source that came over HTTP, held to what may. Rejects with `invalid-options`, its cure in the message, before anything
 * is started or asked but the addresses of a name.
 */
export async function admit(spec: SourceSpec, may: readonly AdminSource[]): Promise<Source> {
  const kind = ADMIN_SOURCES.find((each) => Object.hasOwn(spec, each));
  if (kind === 'ffmpeg' && may.includes('ffmpeg-unsafe')) return createSource(spec);
  if (kind === undefined || !may.includes(kind)) {
    throw new Failure('invalid-options', `source: no ${kind} source may come over HTTP: add "${kind}" to adminSources`);
  }
  const anywhere = may.includes('private');
  const held = spec.ffmpeg ? { ffmpeg: fenced(spec.ffmpeg, anywhere) } : spec;
  if (!anywhere && held.ffmpeg) await requireOutside(hostOf(held.ffmpeg.input), 'source.ffmpeg.input');
  if (!anywhere && held.whep) await requireOutside(new URL(held.whep.url).host, 'source.whep.url');
  return createSource(held, { outside: !anywhere });
}

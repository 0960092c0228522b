import process from 'node:process';
import type { Codec } from '../engine/codecs.ts';
import { Failure } from '../errors.ts';
import { requireOutside } from './addresses.ts';
import { createSource } from './create.ts';
import { fenced, hostOf } from './ffmpeg/fence.ts';
import { outsideProxy } from './ffmpeg/proxy.ts';
import type { FfmpegSpec } from './ffmpeg/spec.ts';
import type { Source } from './source.ts';
import { ADMIN_SOURCES, type AdminSource, type SourceSpec } from './spec.ts';

/**
 * A source that came over HTTP, held to what may. Rejects with `invalid-options`, its cure in the message, before anything
 * is started or asked but the addresses of a name. `codecs`: see `createSource`.
 */
export async function admit(spec: SourceSpec, may: readonly AdminSource[], codecs?: readonly Codec[]): Promise<Source> {
  const kind = ADMIN_SOURCES.find((each) => Object.hasOwn(spec, each));
  if (kind === 'ffmpeg' && may.includes('ffmpeg-unsafe')) return createSource(spec);
  if (kind === undefined || !may.includes(kind)) {
    throw new Failure('invalid-options', `source: no ${kind} source may come over HTTP: add "${kind}" to adminSources`);
  }
  if (spec.sdp?.file !== undefined) {
    throw new Failure(
      'invalid-options',
      'source.sdp.file: no file of this machine is read for who asks: give the text',
    );
  }
  const anywhere = may.includes('private');
  if (spec.ffmpeg) {
    const ffmpeg = fenced(spec.ffmpeg, anywhere);
    return createSource({ ffmpeg: anywhere ? ffmpeg : await outside(ffmpeg) }, { outside: !anywhere });
  }
  if (spec.whep && !anywhere) {
    const { host } = new URL(spec.whep.url);
    await requireOutside(host, `source.whep.url: ${host}`);
  }
  return createSource(spec, { outside: !anywhere, codecs });
}

/** Held to addresses outside: by its name, and over HTTP wherever that leads, unless a proxy of the operator's decides. */
async function outside(spec: FfmpegSpec): Promise<FfmpegSpec> {
  const { input, args = [] } = spec;
  const host = hostOf(input);
  await requireOutside(host, `source.ffmpeg.input: ${host}`);
  if (!/^https?:/i.test(input) || process.env.http_proxy) return spec;
  return { ...spec, args: [...args, '-http_proxy', await outsideProxy()] };
}

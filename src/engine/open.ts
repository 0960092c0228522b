import { availableParallelism } from 'node:os';
import { getLogger } from '@logtape/logtape';
import { Failure } from '../errors.ts';
import type { MediaEngine } from './port.ts';

const log = getLogger(['fetch-whep', 'engine']);

export interface EngineTerms {
  engine: 'auto' | 'native' | 'portable' | MediaEngine;
  /** Absent: every interface. */
  mediaHost?: string | undefined;
  mediaPort: number;
  /** Absent: one for each core. */
  shards?: number | undefined;
}

/** The engine that was asked for. Rejects with `engine-unavailable`, in one line that says what to do. */
export async function openEngine(terms: EngineTerms): Promise<MediaEngine> {
  if (typeof terms.engine === 'object') return terms.engine;
  if (terms.engine === 'portable') return openPortable(terms);
  try {
    return await openNative(terms);
  } catch (error) {
    if (terms.engine === 'native' || !isUnavailable(error)) throw error;
    return openInstead(terms, error);
  }
}

/** The portable engine because the native one cannot be loaded. */
async function openInstead(terms: EngineTerms, missing: Failure): Promise<MediaEngine> {
  try {
    const engine = await openPortable(terms);
    log.warn('using the portable engine, for few viewers: {reason}', { reason: missing.message });
    return engine;
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    throw new Failure('engine-unavailable', `${missing.message}; ${error.message}`, { cause: missing });
  }
}

// Each is loaded on demand: a program needs but one, and both hold the same library.
async function openNative(terms: EngineTerms): Promise<MediaEngine> {
  const { mediaHost, mediaPort, shards = availableParallelism() } = terms;
  const { createNativeEngine } = await import('./native.ts');
  return createNativeEngine({ mediaHost, mediaPort, shards });
}

async function openPortable({ mediaHost, mediaPort }: EngineTerms): Promise<MediaEngine> {
  const { createPortableEngine } = await import('./portable/engine.ts');
  return createPortableEngine({ mediaHost, mediaPort });
}

function isUnavailable(error: unknown): error is Failure {
  return error instanceof Failure && error.code === 'engine-unavailable';
}

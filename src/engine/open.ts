import { availableParallelism } from 'node:os';
import { Failure } from '../errors.ts';
import type { MediaEngine } from './port.ts';

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
  if (terms.engine === 'portable') {
    throw new Failure('engine-unavailable', 'the portable engine is not part of this version: choose the native one');
  }
  // Loaded on demand: a program that brings its own engine needs no addon.
  const { createNativeEngine } = await import('./native.ts');
  return createNativeEngine({
    mediaHost: terms.mediaHost,
    mediaPort: terms.mediaPort,
    shards: terms.shards ?? availableParallelism(),
  });
}

import { Failure } from '../../errors.ts';

export type Library = typeof import('node-datachannel').default;
export type PeerConnection = InstanceType<Library['PeerConnection']>;
export type LibraryTrack = InstanceType<Library['Track']>;
export type DataChannel = ReturnType<PeerConnection['createDataChannel']>;

/** Loads node-datachannel, an optional dependency with one prebuilt binary for each platform. */
export async function loadLibrary(): Promise<Library> {
  try {
    return (await import('node-datachannel')).default;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    const text = `the portable engine cannot be loaded (${reason}): install its package, npm install node-datachannel`;
    throw new Failure('engine-unavailable', text, { cause });
  }
}

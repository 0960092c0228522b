import { isIPv6 } from 'node:net';
import type { Server } from '../../index.ts';
import { serve } from '../../serve.ts';
import { pause } from '../bench/measure.ts';
import { type Check, ok, problem, reason, warning } from './check.ts';
import { nativeViewer, portableViewer, type Viewer } from './viewer.ts';

/** What plays while the round trip is made. */
export const STREAM = 'doctor';
/** Packets: some tenths of a second of the clip. */
const ENOUGH = 50;
/** The native engine needs half a second; the portable one waits for a keyframe, every 2 s. Milliseconds. */
const PATIENCE = 3500;
const NAME = 'WHEP round trip';

export interface Trip {
  check: Check;
  /** The answer that the viewer was given; empty when there was none. */
  answer: string;
}

/** A real viewer on this machine: WHEP, ICE, DTLS and media from the server's own engine, by an HTTP port of its own. */
export async function roundTrip(server: Server, mediaHost = ''): Promise<Trip> {
  const open = server.snapshot().engine === 'portable' ? portableViewer : nativeViewer;
  let viewer: Viewer;
  try {
    viewer = await open(isIPv6(mediaHost) ? '::1' : '127.0.0.1');
  } catch (error) {
    return { check: warning(NAME, `not made: ${reason(error)}`, 'make what it names load'), answer: '' };
  }
  let answer = '';
  const fetch = async (request: Request) => {
    const response = await server.fetch(request);
    if (response.status === 201) answer = await response.clone().text();
    return response;
  };
  const listener = await serve({ fetch }, { port: 0 });
  try {
    await until(() => server.streams.get(STREAM)?.state === 'live');
    return { check: await watch(viewer, `${listener.url}/whep/${STREAM}`), answer };
  } finally {
    await viewer.close();
    await listener.close();
  }
}

async function watch(viewer: Viewer, url: string): Promise<Check> {
  const cure = 'let UDP between addresses of this machine through its firewall';
  try {
    const answered = await viewer.join(url);
    await until(() => viewer.seen().packets >= ENOUGH && viewer.seen().picture !== undefined);
    const { packets, picture } = viewer.seen();
    if (packets >= ENOUGH && picture !== undefined) {
      const times = `answer after ${Math.round(answered)} ms, picture after ${Math.round(picture)} ms`;
      return ok(NAME, `${times}, ${packets} packets received`);
    }
    return problem(NAME, `${packets} packets received within ${PATIENCE / 1000} s, and no whole picture`, cure);
  } catch (error) {
    return problem(NAME, reason(error), cure);
  }
}

async function until(so: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!so() && performance.now() < deadline) await pause(10);
}

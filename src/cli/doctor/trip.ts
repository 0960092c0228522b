import { isIPv6 } from 'node:net';
import { Failure, type Server } from '../../index.ts';
import { serve } from '../../serve.ts';
import { type Load, openLoad } from '../bench/load.ts';
import { pause } from '../bench/measure.ts';
import { type Check, ok, problem, reason, warning } from './check.ts';

/** What plays while the round trip is made. */
export const STREAM = 'doctor';
/** Packets: some tenths of a second of the clip. */
const ENOUGH = 50;
/** A healthy machine needs half a second. Milliseconds. */
const PATIENCE = 2500;
const NAME = 'WHEP round trip';

export interface Trip {
  check: Check;
  /** The answer that the viewer was given; empty when there was none. */
  answer: string;
}

/** A real viewer on this machine: WHEP, ICE, DTLS and media from the server's own engine, by an HTTP port of its own. */
export async function roundTrip(server: Server, mediaHost: string | undefined): Promise<Trip> {
  if (server.snapshot().engine === 'portable') {
    // A process holds one engine: both are made of the same library.
    return { check: warning(NAME, 'not made: the viewer is part of the native engine', '--engine native'), answer: '' };
  }
  let load: Load;
  try {
    load = openLoad(mediaHost !== undefined && isIPv6(mediaHost) ? '::1' : undefined);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const cure = 'make the native engine load: the viewer is part of it';
    return { check: warning(NAME, `not made: ${reason(error)}`, cure), answer: '' };
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
    const url = `${listener.url}/whep/${STREAM}`;
    return { check: await watch(load, url), answer };
  } finally {
    await load.close();
    await listener.close();
  }
}

async function watch(load: Load, url: string): Promise<Check> {
  const { posts, failures } = await load.join({ url, viewers: 1, over: 0, group: 0, trickles: true });
  await until(() => posts.length === 0 || load.sample(0).packets >= ENOUGH);
  const [keyframe] = load.arrivals(0).firstKeyframes;
  const { packets } = load.sample(0);
  if (keyframe !== undefined && packets >= ENOUGH) {
    const times = `answer after ${Math.round(posts[0] ?? 0)} ms, picture after ${Math.round(keyframe)} ms`;
    return ok(NAME, `${times}, ${packets} packets received`);
  }
  const found = failures[0] ?? `${packets} packets received within ${PATIENCE / 1000} s, and no whole picture`;
  return problem(NAME, found, 'let UDP between addresses of this machine through its firewall');
}

async function until(so: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!so() && performance.now() < deadline) await pause(10);
}

import { type Load, openLoad } from '../../src/cli/bench/load.ts';
import { arrive } from '../../src/cli/bench/measure.ts';
import type { Runtime } from './runtimes.ts';
import { type RunningServer, startConfigured } from './server.ts';

/** A server that is to be attacked, with those who watch it from this process. */
export interface World {
  server: RunningServer;
  load: Load;
  /** The WHEP endpoint. */
  url: string;
  /** The RTP port of the video. */
  leg: number;
  end(): Promise<void>;
}

/** The viewers' group in the load. */
export const PLAYING = 0;
const ARRIVALS_PER_SECOND = 50;
/** Of a client's requests: what comes at once, as a multiple of the rate. */
const BURST = 2;

/**
 * Viewers that play. The server limits the requests of a client, as the guide asks for where strangers come (`perSecond`,
 * `Infinity` for no limit), and has room for all, since a cap is no answer to an attack.
 */
export async function openWorld(runtime: Runtime, viewers: number, perSecond: number): Promise<World> {
  const server = await startConfigured(runtime, {
    streams: { cam1: 'rtp:0,0' },
    engine: 'native',
    mediaHost: '127.0.0.1',
    maxViewers: 20_000,
    maxViewersPerStream: 'none',
    ...(Number.isFinite(perSecond) && { rateLimit: { perSecond, burst: BURST * perSecond } }),
  });
  const load = openLoad();
  const url = `${server.url}/whep/cam1`;
  const end = async () => {
    await load.close();
    server.child.kill('SIGKILL');
    await server.child.ended;
  };
  try {
    const { video = 0, audio = 0 } = server.announcement.streams.cam1 ?? {};
    load.send(video, audio);
    await server.live();
    const over = (viewers / Math.min(ARRIVALS_PER_SECOND, perSecond)) * 1000;
    const { connected, failures } = await arrive(load, { url, viewers, over, group: PLAYING });
    if (connected < viewers) throw new Error(`${connected} of ${viewers} viewers got in: ${failures[0] ?? ''}`);
    return { server, load, url, leg: video, end };
  } catch (error) {
    await end();
    throw error;
  }
}

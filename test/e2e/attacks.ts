import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Load, openLoad } from '../../src/cli/bench/load.ts';
import { arrive } from '../../src/cli/bench/measure.ts';
import { ATTACKS, type AttackName, attack, attackNames, deliveryOf, lostBetween } from '../support/attacks.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningServer, startConfigured } from '../support/server.ts';

/**
 * A short run of every attack. What it costs the others in time is measured by `scripts/bench attack`; here they must miss no
 * packet and keep their sessions. The viewers ask for no retransmission: a packet that does not come is lost, unless a
 * viewer's own socket had no room for it, which is not the server's fault and which the system counts.
 */
const test = suite('attacks on a server that others watch');
const VIEWERS = 20;
const MILLISECONDS = 3_000;
/** Beyond these a slow machine would be busy with an attack long after its end. */
const MOST = 300_000;
const GROUP = 0;

interface World {
  server: RunningServer;
  load: Load;
}

let world: World | undefined;

/** The same server for all attacks, until one of them has harmed it. */
async function open(): Promise<World> {
  if (world !== undefined) return world;
  const server = await startConfigured('node', {
    streams: { cam1: 'rtp:0,0' },
    engine: 'native',
    mediaHost: '127.0.0.1',
    maxViewers: 20_000,
    maxViewersPerStream: 'none',
    rateLimit: { perSecond: 20, burst: 200 },
  });
  const load = openLoad();
  world = { server, load };
  const { video = 0, audio = 0 } = server.announcement.streams.cam1 ?? {};
  load.send(30, video, audio);
  await server.live();
  const url = `${server.url}/whep/cam1`;
  const { connected, failures } = await arrive(load, { url, viewers: VIEWERS, over: 500, group: GROUP });
  assert.is(connected, VIEWERS, failures[0]);
  return world;
}

async function close(): Promise<void> {
  const { load, server } = world ?? {};
  world = undefined;
  await load?.close();
  server?.child.kill('SIGKILL');
  await server?.child.ended;
}

async function survives(name: AttackName): Promise<void> {
  const { server, load } = await open();
  const look = () => deliveryOf(load, load.sample(GROUP));
  const before = look();
  const leg = server.announcement.streams.cam1?.video;
  await attack({ name, url: `${server.url}/whep/cam1`, leg, milliseconds: MILLISECONDS, most: MOST });
  // What was delayed may still come.
  await eventually('every packet', () => lostBetween(before, look(), VIEWERS) === 0).catch((error: Error) => {
    throw new Error(`${error.message}: ${lostBetween(before, look(), VIEWERS)} are lost`);
  });
  assert.is(load.arrivals(GROUP).connected, VIEWERS, 'sessions of the others');
  assert.is((await fetch(`${server.url}/healthz`)).status, 200);
}

for (const name of attackNames()) {
  test(`nobody else is harmed by ${ATTACKS[name]}`, async () => {
    try {
      await survives(name);
    } catch (error) {
      await close();
      throw error;
    }
  });
}
test.after(close);

test.run();

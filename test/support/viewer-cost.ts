import { resolve } from 'node:path';
import { type Cable, openCable } from '../../src/cli/bench/cable.ts';
import { type Load, openLoad } from '../../src/cli/bench/load.ts';
import { pause, publish, round, settle, waitFor } from '../../src/cli/bench/measure.ts';
import { loadConfig, parseOptions } from '../../src/cli/bench/options.ts';
import { usage } from '../../src/cli/bench/process.ts';
import { openTarget, type Target } from '../../src/cli/bench/target.ts';
import { Chromium } from './chromium.ts';

const VIEWERS = 100;
/** Chromium makes a certificate and a transport for each. Milliseconds. */
const JOINING = 60_000;
const GROUP = 0;

/**
 * What a packet to a viewer in Chromium costs the server, as a multiple of one to the benchmark's viewers, and the SRTP
 * profiles of both. Each kind is measured for `secs` seconds, the benchmark's before and after Chromium's. In a process
 * that runs apart.
 */
export async function compareViewers(secs: number): Promise<{ ratio: number; profiles: string[] }> {
  const options = parseOptions(['--sender-only']);
  const cable = await openCable();
  const target = await openTarget(options, cable, resolve('dist/cli.js'));
  const load = openLoad({ ...loadConfig(options), host: cable.viewers, server: cable.pid });
  const measured = async (join: () => Promise<() => Promise<void>>) => {
    const leave = await join();
    await settle();
    const cost = await perPacket(target, cable, secs);
    await leave();
    await settle();
    return cost;
  };
  try {
    await publish(load, target);
    cable.dropMedia();
    const profiles = new Set<string>();
    const before = await measured(() => benchmarks(load, target, profiles));
    const browsers = await measured(() => chromiums(target, profiles));
    const after = await measured(() => benchmarks(load, target, profiles));
    return { ratio: round((2 * browsers) / (before + after)), profiles: [...profiles] };
  } finally {
    await load.close();
    await target.stop();
    cable.close();
  }
}

/** Microseconds. */
async function perPacket({ pid }: Target, cable: Cable, secs: number): Promise<number> {
  const look = () => ({ packets: cable.arrived().media.packets, cpu: usage(pid)?.cpu ?? Number.NaN });
  const before = look();
  await pause(secs * 1000);
  const after = look();
  return (after.cpu - before.cpu) / (after.packets - before.packets);
}

async function benchmarks(load: Load, { url }: Target, profiles: Set<string>): Promise<() => Promise<void>> {
  const { failures } = await load.join({ url, viewers: VIEWERS, over: 2_000, group: GROUP });
  if (failures.length > 0) throw new Error(failures[0]);
  await waitFor('viewers to connect', JOINING, () => load.arrivals(GROUP).connected === VIEWERS);
  for (const profile of load.arrivals(GROUP).profiles) profiles.add(profile);
  return () => load.leave(GROUP);
}

/** Connections of one page, which get no media to decode. */
async function chromiums({ url, origin }: Target, profiles: Set<string>): Promise<() => Promise<void>> {
  const browser = await Chromium.launch();
  const { page } = await browser.watch(`${origin}/healthz`);
  page.setDefaultTimeout(JOINING);
  const found = await page.evaluate(joinMany, { url, viewers: VIEWERS });
  for (const profile of found) profiles.add(profile);
  return async () => {
    await page.evaluate(leaveAll);
    await browser.close();
  };
}

declare const sessions: { connection: RTCPeerConnection; session: string }[];

/** In the page: gives the SRTP profiles in use. */
async function joinMany({ url, viewers }: { url: string; viewers: number }): Promise<string[]> {
  const joined: typeof sessions = [];
  Object.assign(globalThis, { sessions: joined });
  const ciphers = new Set<string>();
  for (let count = 0; count < viewers; count++) {
    const connection = new RTCPeerConnection();
    for (const kind of ['audio', 'video']) connection.addTransceiver(kind, { direction: 'recvonly' });
    await connection.setLocalDescription();
    const body = connection.localDescription?.sdp ?? '';
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body });
    if (response.status !== 201) throw new Error(`POST: ${response.status} ${await response.text()}`);
    joined.push({ connection, session: new URL(response.headers.get('location') ?? '', url).href });
    await connection.setRemoteDescription({ type: 'answer', sdp: await response.text() });
    while (connection.connectionState !== 'connected') {
      if (connection.connectionState === 'failed') throw new Error('a connection failed');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const report of (await connection.getStats()).values()) if (report.srtpCipher) ciphers.add(report.srtpCipher);
  }
  return [...ciphers];
}

/** In the page. */
async function leaveAll(): Promise<void> {
  for (const { connection, session } of sessions) {
    await fetch(session, { method: 'DELETE' });
    connection.close();
  }
}

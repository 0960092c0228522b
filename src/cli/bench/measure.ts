import { Failure } from '../../index.ts';
import type { Joined, Load } from './load.ts';
import type { Target } from './target.ts';

/** A viewer that has no picture by then gets none. Milliseconds. */
const ARRIVAL = 8_000;
/** After the last arrival: what joining set in motion has come to rest. Milliseconds. */
const SETTLING = 2_000;
/** What a runtime needed to start has been given back: V8 collects it after 8 s in which little happens. Milliseconds. */
const RESTING = 10_000;
/** A new server has seen its stream by then. Milliseconds. */
const PUBLISHING = 10_000;

/** Asks until it is so; throws after `limit` milliseconds. */
export async function waitFor(what: string, limit: number, so: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + limit;
  while (!(await so())) {
    if (performance.now() > deadline)
      throw new Failure('engine-timeout', `waited ${limit / 1000} s in vain for ${what}`);
    await pause(20);
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Starts the stream, when the server takes one, and waits until our own server has it. */
export async function publish(load: Load, { ports, whip, origin }: Target): Promise<void> {
  if (whip !== undefined) await load.publish(whip);
  else if (ports !== undefined) load.send(ports.video, ports.audio);
  else return;
  if (origin === undefined) return pause(SETTLING);
  await waitFor('the stream', PUBLISHING, async () => {
    const stats = (await (await fetch(`${origin}/webrtc/stats`)).json()) as { active_streams: number };
    return stats.active_streams === 1;
  });
}

export interface Arrived extends Joined {
  connected: number;
  /** Milliseconds from POST to connection. */
  connections: number[];
  /** Milliseconds from POST to first keyframe. */
  firstKeyframes: number[];
  /** SRTP profiles that were negotiated, each once. */
  profiles: string[];
}

/** A cell of the table. */
export function profileOf({ profiles }: { profiles: readonly string[] }): string | undefined {
  return profiles.length === 0 ? undefined : profiles.map((name) => name.replace(/^SRTP_/, '')).join(', ');
}

/** Lets viewers join and waits until each that got in has a picture, or never will have one. */
export async function arrive(load: Load, joining: Parameters<Load['join']>[0]): Promise<Arrived> {
  const { group } = joining;
  const before = load.arrivals(group);
  const joined = await load.join(joining);
  const expected = before.connected + joined.posts.length;
  const deadline = performance.now() + ARRIVAL;
  let arrived = load.arrivals(group);
  while (arrived.firstKeyframes.length < expected && performance.now() < deadline) {
    await pause(20);
    arrived = load.arrivals(group);
  }
  return { ...joined, ...arrived };
}

export function settle(): Promise<void> {
  return pause(SETTLING);
}

/** A server that has just begun comes to the memory that it needs. */
export function rest(): Promise<void> {
  return pause(RESTING);
}

export interface Quantiles {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** Undefined when there are no values. */
export function quantiles(values: readonly number[]): Quantiles | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return sorted.length === 0 ? undefined : { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** Three figures tell all that a measurement knows. */
export function round(value: number): number {
  return Number(value.toPrecision(3));
}

/** Rarely enough to leave the server to what is measured: a runtime that has nothing else to do takes a millisecond for it. Milliseconds. */
const PROBING = 500;

/** Asks our own server something small now and then until stopped; gives how long the answers took. Milliseconds. */
export function probe(origin: string | undefined): () => Promise<Quantiles | undefined> {
  const times: number[] = [];
  let stopped = origin === undefined;
  const running = (async () => {
    while (!stopped) {
      const start = performance.now();
      await (await fetch(`${origin}/healthz`)).text();
      times.push(performance.now() - start);
      await pause(PROBING);
    }
  })();
  return async () => {
    stopped = true;
    await running;
    return quantiles(times);
  };
}

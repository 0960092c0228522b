/** How a stream is received. What the browser does not tell, or what needs a second look to be told, is undefined. */
export interface PlayerStats {
  /** Pixels. */
  width: number | undefined;
  height: number | undefined;
  framesPerSecond: number | undefined;
  /** Payload of picture and sound. */
  bitsPerSecond: number | undefined;
  /** Packets that never came, as a share from 0 to 1. */
  lossRatio: number | undefined;
  roundTripSeconds: number | undefined;
  /** How long a frame waits before it is decoded; of the sound where there is no picture. */
  jitterBufferSeconds: number | undefined;
  /** From the server to the decoded frame: half a round trip, and the time since its first packet came. */
  latencySeconds: number | undefined;
}

/** A report of webrtc-stats §8. */
type Report = Record<string, unknown>;

/** Counters, of which the growth tells something. */
interface Counters {
  bytes: number;
  packets: number;
  lost: number;
  frames: number;
  /** Seconds in the jitter buffer, of so many frames or samples. */
  buffered: number;
  emitted: number;
  /** Seconds from the first packet to the decoded frame, of so many. */
  processed: number;
  decoded: number;
}

/** Makes figures of the counters of one connection: each time, of the time since the time before. */
export class StatsSampler {
  #before: Counters | undefined;
  #at = 0;

  sample(reports: ReadonlyMap<string, Report>, now = performance.now()): PlayerStats {
    const all = [...reports.values()];
    const inbound = all.filter(({ type }) => type === 'inbound-rtp');
    const video = inbound.find(({ kind }) => kind === 'video');
    const pair = all.find(
      ({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded',
    );
    const counters = count(inbound, video ?? inbound[0]);
    const before = this.#before;
    const grown = (name: keyof Counters) => counters[name] - (before?.[name] ?? 0);
    const seconds = before === undefined ? 0 : (now - this.#at) / 1000;
    this.#before = counters;
    this.#at = now;

    const roundTripSeconds = figure(pair, 'currentRoundTripTime');
    const processing = ratio(grown('processed'), grown('decoded'));
    return {
      width: figure(video, 'frameWidth'),
      height: figure(video, 'frameHeight'),
      framesPerSecond: video && ratio(grown('frames'), seconds),
      bitsPerSecond: ratio(grown('bytes') * 8, seconds),
      // Duplicates count as found again (RFC 3550 §6.4.1).
      lossRatio: ratio(Math.max(0, grown('lost')), Math.max(0, grown('lost')) + grown('packets')),
      roundTripSeconds,
      jitterBufferSeconds: ratio(grown('buffered'), grown('emitted')),
      latencySeconds: processing === undefined ? undefined : (roundTripSeconds ?? 0) / 2 + processing,
    };
  }
}

function count(inbound: readonly Report[], main: Report | undefined): Counters {
  const sum = (name: string) => inbound.reduce((total, report) => total + (figure(report, name) ?? 0), 0);
  const own = (name: string) => figure(main, name) ?? 0;
  return {
    bytes: sum('bytesReceived'),
    packets: sum('packetsReceived'),
    lost: sum('packetsLost'),
    frames: own('framesDecoded'),
    buffered: own('jitterBufferDelay'),
    emitted: own('jitterBufferEmittedCount'),
    // Without it there is no latency to tell.
    processed: figure(main, 'totalProcessingDelay') ?? Number.NaN,
    decoded: main?.kind === 'video' ? own('framesDecoded') : own('jitterBufferEmittedCount'),
  };
}

function figure(report: Report | undefined, name: string): number | undefined {
  const value = report?.[name];
  return typeof value === 'number' ? value : undefined;
}

function ratio(part: number, whole: number): number | undefined {
  return part >= 0 && whole > 0 ? part / whole : undefined;
}

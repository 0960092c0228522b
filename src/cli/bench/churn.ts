import { openLoad } from './load.ts';
import { arrive, profileOf, publish, settle } from './measure.ts';
import { type BenchOptions, loadConfig } from './options.ts';
import { type Usage, usage } from './process.ts';
import type { Column } from './report.ts';
import { openTarget } from './target.ts';

/** Joins and leaves for a while. Absent: could not be measured. */
export interface ChurnRow {
  bench: 'churn';
  viewers: number;
  /** Viewers that joined, watched and left. */
  sessions: number;
  failures: number;
  /** SRTP profiles that were negotiated. */
  profiles: string[];
  /** Of those that joined, without a keyframe. */
  withoutPicture: number;
  /** When everybody had left: after the warm-up, and at the end. */
  idle: { before: Usage; after: Usage } | undefined;
  rssGrowthBytesPerSession: number | undefined;
}

export const COLUMNS: Column<ChurnRow>[] = [
  ['viewers', (row) => row.viewers],
  ['sessions', (row) => row.sessions],
  ['profile', profileOf],
  ['failed', (row) => row.failures + row.withoutPicture],
  ['RSS before', (row) => row.idle && `${Math.round(row.idle.before.rss / 2 ** 20)} MiB`],
  ['after', (row) => row.idle && `${Math.round(row.idle.after.rss / 2 ** 20)} MiB`],
  ['bytes/session', (row) => row.rssGrowthBytesPerSession],
  ['files before', (row) => row.idle?.before.files],
  ['after', (row) => row.idle?.after.files],
  ['threads before', (row) => row.idle?.before.threads],
  ['after', (row) => row.idle?.after.threads],
];

/** Rounds before memory is looked at: allocators and the runtime take theirs first. */
const WARM_UP = 3;
/** Of one round's joins. Milliseconds. */
const ROUND = 1_000;

/** All `viewers` join, get a picture and leave, again and again. */
export async function churn(viewers: number, options: BenchOptions, say: (text: string) => void): Promise<ChurnRow> {
  const target = await openTarget(options);
  const load = openLoad(loadConfig(options));
  const sum = { sessions: 0, failures: 0, withoutPicture: 0 };
  const profiles = new Set<string>();
  const round = async () => {
    const arrived = await arrive(load, { url: target.url, viewers, over: ROUND, group: 0 });
    const { posts, failures, firstKeyframes } = arrived;
    for (const profile of arrived.profiles) profiles.add(profile);
    await load.leave(0);
    sum.sessions += posts.length;
    sum.failures += failures.length;
    sum.withoutPicture += posts.length - firstKeyframes.length;
  };
  try {
    await publish(load, target);
    say('warming up');
    for (let count = 0; count < WARM_UP; count++) await round();
    await settle();
    const before = usage(target.pid);
    const warm = sum.sessions;
    const end = performance.now() + (options.secs ?? 60) * 1000;
    while (performance.now() < end) {
      await round();
      say(`${sum.sessions} sessions`);
    }
    await settle();
    const after = usage(target.pid);
    const idle = before && after && { before, after };
    const growth = idle && Math.round((idle.after.rss - idle.before.rss) / Math.max(1, sum.sessions - warm));
    return { bench: 'churn', viewers, ...sum, profiles: [...profiles], idle, rssGrowthBytesPerSession: growth };
  } finally {
    await load.close();
    await target.stop();
  }
}

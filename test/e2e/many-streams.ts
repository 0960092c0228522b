import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { descendants } from '../support/process.ts';
import type { Runtime } from '../support/runtimes.ts';
import { startConfigured } from '../support/server.ts';

const test = suite('many streams');
const folder = mkdtempSync(join(tmpdir(), 'fetch-whep-streams-'));
const input = join(folder, 'tiny.mp4');

test.before(() => {
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=64x64:rate=5', '-f', 'lavfi', '-i', 'sine=frequency=1000'];
  const video = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-bf', '0', '-g', '5'];
  execFileSync('ffmpeg', ['-y', '-loglevel', 'error', ...picture, '-t', '2', ...video, '-c:a', 'libopus', input]);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

/** What a process holds. */
interface Holdings {
  threads: number;
  descriptors: number;
  processes: number;
}

function holdings(pid: number): Holdings {
  const count = (kind: string) => readdirSync(`/proc/${pid}/${kind}`).length;
  return { threads: count('task'), descriptors: count('fd'), processes: descendants(pid).length };
}

const runs: { runtime: Runtime; streams: number }[] = [
  { runtime: 'node', streams: 50 },
  { runtime: 'bun', streams: 10 },
  { runtime: 'deno', streams: 10 },
];

for (const { runtime, streams } of runs) {
  test(`${runtime}: ${streams} streams with an FFmpeg each start, run and stop, and nothing is left`, async () => {
    const server = await startConfigured(runtime, {
      adminToken: 'admin',
      open: ['watch', 'observe'],
      adminSources: ['ffmpeg-unsafe'],
    });
    const { pid } = server.child;
    const headers = { Authorization: 'Bearer admin', 'Content-Type': 'application/json' };
    const body = JSON.stringify({ ffmpeg: { input } });
    const ids = Array.from({ length: streams }, (_, index) => `cam${index}`);
    const each = (count: number, init: RequestInit) =>
      Promise.all(
        ids.slice(0, count).map(async (id) => {
          const response = await fetch(`${server.url}/api/streams/${id}`, { headers, ...init });
          await response.text();
          return response.status;
        }),
      );
    const sockets = (await server.stats()).udp_ports_in_use;
    /** So many once, from the first start to the last end. */
    const round = async (count: number) => {
      assert.equal(new Set(await each(count, { method: 'PUT', body })), new Set([201]));
      await eventually(
        'all streams live',
        async () => {
          const found = Object.values((await server.stats()).streams);
          return found.filter(({ state, ffmpeg }) => state === 'live' && ffmpeg?.video === 'copy').length === count;
        },
        60_000,
      );
      const running = descendants(pid).filter(({ command }) => command[0] === 'ffmpeg');
      assert.is(running.length, count);
      assert.equal(new Set(await each(count, { method: 'DELETE' })), new Set([204]));
      assert.is(descendants(pid).length, 0);
      assert.is((await server.stats()).udp_ports_in_use, sockets);
    };
    try {
      // A runtime's pools may grow with any round; what is left behind would be more after each.
      await round(5);
      let before = holdings(pid);
      let after = before;
      for (let rounds = 0; rounds < 4; rounds++) {
        await round(streams);
        [before, after] = [after, await settled(pid, after)];
        if (isNoMore(after, before)) break;
      }
      assert.ok(isNoMore(after, before), `${JSON.stringify(after)} after ${JSON.stringify(before)}`);
      assert.is(after.processes, 0);
      assert.equal(await server.stop(), { code: 0, signal: null });
    } finally {
      server.child.kill('SIGKILL');
    }
  });
}

function isNoMore(now: Holdings, before: Holdings): boolean {
  return now.threads <= before.threads && now.descriptors <= before.descriptors + 2;
}

/** What a process holds once it is no more than `before`, or after a while. */
async function settled(pid: number, before: Holdings): Promise<Holdings> {
  await eventually('no more than before', () => isNoMore(holdings(pid), before), 5_000).catch(() => {});
  return holdings(pid);
}

test.run();

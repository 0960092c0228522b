import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SDP, WATCH } from '../support/contract/client.ts';
import { currentRuntime } from '../support/runtimes.ts';
import { startConfigured } from '../support/server.ts';

const runtime = currentRuntime();
const test = suite(`SIGTERM in a storm of joins, a ${runtime} process with the native engine`);

/** Another number on demand. */
const storms = Number(process.env.FETCH_WHEP_STORMS ?? 20);
const JOINS = 300;

test(`the process ends with exit code 0 after SIGTERM in the middle of ${JOINS} joins, ${storms} times`, async () => {
  for (let storm = 0; storm < storms; storm++) {
    const server = await startConfigured(runtime, {
      streams: { live: 'clip' },
      maxViewers: JOINS,
      maxViewersPerStream: 'none',
    });
    try {
      await server.live();
      // Each time at another moment, from the first requests to the last answers.
      const moment = Math.floor((JOINS * storm) / storms);
      const statuses: number[] = [];
      let stopped = moment === 0;
      const join = async () => {
        try {
          const response = await fetch(`${server.url}/whep/live`, { method: 'POST', headers: SDP, body: WATCH });
          statuses.push(response.status);
          await response.text();
        } catch {
          // The server has gone.
        }
        if (statuses.length < moment || stopped) return;
        stopped = true;
        server.child.kill('SIGTERM');
      };
      const joins = Array.from({ length: JOINS }, join);
      if (moment === 0) server.child.kill('SIGTERM');
      assert.equal(await server.child.ending(), { code: 0, signal: null }, `after ${moment} answers`);
      await Promise.all(joins);
      assert.equal(
        statuses.filter((status) => status !== 201 && status !== 503),
        [],
        server.child.stderr,
      );
    } finally {
      server.child.kill('SIGKILL');
    }
  }
});

test.run();

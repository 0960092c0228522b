import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ServerOptions } from '../src/index.ts';
import { admin } from './support/contract/admin.ts';
import { answer } from './support/contract/answer.ts';
import { auth } from './support/contract/auth.ts';
import { type Booted, Client } from './support/contract/client.ts';
import { clients } from './support/contract/clients.ts';
import { cors } from './support/contract/cors.ts';
import { errors } from './support/contract/errors.ts';
import { events } from './support/contract/events.ts';
import { hooks } from './support/contract/hooks.ts';
import { limits } from './support/contract/limits.ts';
import { observe } from './support/contract/observe.ts';
import { publish } from './support/contract/publish.ts';
import { type Need, type Row, STREAMS } from './support/contract/row.ts';
import { session } from './support/contract/session.ts';
import { watch } from './support/contract/watch.ts';
import { whip } from './support/contract/whip.ts';
import { eventually } from './support/eventually.ts';
import { withRestOpen } from './support/open.ts';

/** The HTTP contract, a row for each sentence. */
const ROWS: readonly Row[] = [
  ...watch,
  ...answer,
  ...session,
  ...whip,
  ...publish,
  ...auth,
  ...cors,
  ...errors,
  ...limits,
  ...observe,
  ...events,
  ...admin,
  ...hooks,
  ...clients,
];

/** Starts a server with these options. Whatever it starts, `close` ends. */
export type Boot = (options: ServerOptions) => Promise<Booted>;

/**
 * Holds a server to the contract. `offers` is what it has beyond the ordinary; rows that need more are left out, and
 * the title says how many run. Servers are shared by rows with the same options, a scripted one is not.
 */
export function contract(name: string, boot: Boot, offers: readonly Need[] = []): void {
  const rows = ROWS.filter(({ needs }) => needs === undefined || offers.includes(needs));
  const test = suite(`contract, ${name}, ${rows.length} of ${ROWS.length} rows`);
  const shared = new Map<ServerOptions | undefined, Booted>();

  async function booted(options: ServerOptions | undefined): Promise<Booted> {
    const prefix = options?.basePathStripped ? '' : (options?.basePath ?? '');
    const booted = await boot({ ...withRestOpen(options), streams: { ...STREAMS, ...options?.streams } });
    const server = { ...booted, prefix };
    await eventually('the clip plays', async () => (await new Client(server).stats()).streams.live?.state === 'live');
    return server;
  }

  for (const row of rows) {
    test(row.name, async () => {
      const own = row.needs === 'script';
      const server = own ? await booted(row.options) : (shared.get(row.options) ?? (await booted(row.options)));
      if (!own) shared.set(row.options, server);
      const client = new Client(server);
      try {
        await row.run(client);
      } finally {
        await client.leave();
        if (own) await server.close();
      }
    });
  }
  test('every row has a name of its own', () => {
    const names = ROWS.map((row) => row.name);
    assert.is(new Set(names).size, names.length);
  });
  // Nothing of the server keeps a process alive, and a row may wait for a timer of its.
  const alive = setInterval(() => {}, 1000);
  test.after(async () => {
    clearInterval(alive);
    for (const server of shared.values()) await server.close();
  });
  test.run();
}

import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer } from '../../src/index.ts';
import { Child } from '../support/child.ts';
import { Client } from '../support/contract/client.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { currentRuntime } from '../support/runtimes.ts';

/** A server with every kind of timer running: set-up, grace, viewer count, sign of life, a body that does not come. */
async function busy(how: string | undefined): Promise<void> {
  const engine = new FakeEngine();
  const server = await createServer({ engine, streams: { live: 'clip', other: 'clip' } });
  const client = new Client({ ...server, engine });
  const { location } = await client.watch();
  const events = (await client.send('POST', `${location}/events`)).headers.get('location') ?? '';
  await client.open('GET', events);
  await client.watch();
  await client.watch('/whep/other');
  engine.leg('other', 'video', false);
  engine.leg('other', 'audio', false);
  const headers = { 'Content-Type': 'application/sdp' };
  void client.open('POST', '/whep/live', { headers, body: new ReadableStream(), duplex: 'half' });
  if (how === 'closed') await server.close();
  process.stdout.write('done\n');
}

const child = process.argv.indexOf('--child');
if (child > 0) {
  await busy(process.argv[child + 1]);
} else {
  const test = suite('the end of the process');
  for (const how of ['closed', 'forgotten']) {
    test(`a process whose server was ${how} ends by itself`, async () => {
      const { ending, stdout } = await run(how);
      assert.equal([stdout, ending.code, ending.signal], ['done\n', 0, null]);
    });
  }
  test.run();
}

async function run(how: string) {
  const server = new Child(currentRuntime(), process.argv[1] ?? '', ['--child', how]);
  const ending = await server.ending(10_000);
  return { ending, stdout: server.stdout };
}

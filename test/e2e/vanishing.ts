import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium } from '../support/chromium.ts';
import { ENGINES, RUNTIMES } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

const test = suite('viewers that vanish');

test('a killed browser is swept within 30 s, on every runtime and by every engine', async () => {
  const kinds = RUNTIMES.flatMap((runtime) => ENGINES.map((engine) => [runtime, engine] as const));
  const servers = await Promise.all(kinds.map(([runtime, engine]) => startServer(runtime, ['--engine', engine])));
  const browser = await Chromium.launch();
  try {
    await Promise.all(servers.map((server) => server.live()));
    const tabs = await Promise.all(servers.map((server) => browser.watch(`${server.url}/play/demo`)));
    await Promise.all(tabs.map((tab) => tab.frames(10)));
    await Promise.all(servers.map((server) => server.viewers(1)));
    await browser.kill();
    await Promise.all(servers.map((server) => server.viewers(0, 30_000)));
    for (const server of servers) assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    for (const server of servers) server.child.kill('SIGKILL');
    await browser.kill();
  }
});

test.run();

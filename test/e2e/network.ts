import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { networkInterfaces } from 'node:os';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium, type Tab } from '../support/chromium.ts';
import { ENGINES, RUNTIMES } from '../support/runtimes.ts';
import { startServer } from '../support/server.ts';

const test = suite('where the server listens');
const certificate = 'test/support/tls/cert.pem';
const https = ['--tls-cert', certificate, '--tls-key', 'test/support/tls/key.pem'];
let browser: Chromium;

test.before(async () => {
  browser = await Chromium.launch();
});

test.after(async () => {
  await browser.close();
});

function status(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { ca: readFileSync(certificate) }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asking.on('error', reject).end();
  });
}

/** The addresses of the answer's candidates (RFC 8839 §5.1). */
async function candidates(tab: Tab): Promise<string[]> {
  const answer = await tab.answer();
  return [...answer.matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+) /gm)].map(([, address]) => address ?? '');
}

for (const runtime of RUNTIMES) {
  test(`${runtime}: https with a certificate`, async () => {
    const server = await startServer(runtime, https);
    try {
      assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
      assert.is(await status(`${server.url}/healthz`), 200);
      const tab = await browser.watch(`${server.url}/play/demo`);
      await tab.frames(10);
      assert.equal(tab.console, []);
      await tab.page.close();
      server.child.kill('SIGTERM');
      assert.equal(await server.child.ending(), { code: 0, signal: null });
    } finally {
      server.child.kill('SIGKILL');
    }
  });
}

for (const engine of ENGINES) {
  test(`${engine}: media stays on loopback when HTTP does`, async () => {
    const server = await startServer('node', ['--engine', engine]);
    const tab = await browser.watch(`${server.url}/play/demo`);
    await tab.frames(10);
    assert.equal([...new Set(await candidates(tab))], ['127.0.0.1']);
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  });

  test(`${engine}: media is on every interface when HTTP is, and on announced addresses`, async () => {
    const args = ['--engine', engine, '--host', '0.0.0.0', '--announce', '198.51.100.7'];
    const server = await startServer('node', args);
    const tab = await browser.watch(`${server.url}/play/demo`);
    await tab.frames(10);
    const offered = await candidates(tab);
    const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    for (const { address } of own.filter(({ internal, family }) => !internal && family === 'IPv4')) {
      assert.ok(offered.includes(address), `${address} is not among ${offered}`);
    }
    assert.ok(offered.includes('198.51.100.7'));
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  });
}

test.run();

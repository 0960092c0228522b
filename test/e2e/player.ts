import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createProxy, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { browserFor } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { sendRtp } from '../support/picture.ts';
import { startServer, withServer } from '../support/server.ts';

const test = suite('player page');
const browser = browserFor(test);

test('the index links to a player that shows the clip, past its end and round again', async () => {
  await withServer('node', [], async (server) => {
    const tab = await browser.watch(`${server.url}/`);
    await tab.page.getByRole('link', { name: 'demo' }).click();
    const numbers = new Set<number>();
    let last = -1;
    let rounds = 0;
    await eventually(
      'a second round of the clip',
      async () => {
        const number = await tab.frameNumber();
        if (number === undefined) return false;
        assert.ok(number < 300);
        if (number < last) rounds++;
        last = number;
        numbers.add(number);
        return rounds > 0 && number > 30 && numbers.size > 30;
      },
      25_000,
    );
    assert.is((await tab.smoothFrames(100)).audioChannels, 2);
    assert.equal(tab.console, []);
    await tab.page.close();
  });
});

test('sound waits for a button, which says what it does', async () => {
  await withServer('node', [], async (server) => {
    const tab = await browser.watch(`${server.url}/play/demo`);
    await tab.frames(10);
    assert.is(await tab.page.locator('video').evaluate((video) => (video as HTMLVideoElement).muted), true);
    await tab.unmute();
    await eventually('sound', async () => (await tab.media()).audioEnergy > 0);
    await tab.page.getByRole('button', { name: 'Mute', exact: true }).click();
    assert.is(await tab.page.locator('video').evaluate((video) => (video as HTMLVideoElement).muted), true);
    await tab.page.close();
  });
});

test('a stream of picture alone plays, and so does one of sound alone', async () => {
  await withServer('node', ['--stream', 'picture=rtp:0', '--stream', 'sound=rtp:,0'], async (server) => {
    const { picture, sound } = server.announcement.streams;
    const senders = [sendRtp(picture ?? {}), sendRtp(sound ?? {})];
    try {
      await server.live(2);
      const [watching, listening] = [
        await browser.watch(`${server.url}/play/picture`),
        await browser.watch(`${server.url}/play/sound`),
      ];
      await watching.frames(30);
      assert.is(await watching.status(), '');
      assert.not(await watching.page.locator('#sound').isVisible());
      await listening.unmute();
      await eventually('sound', async () => (await listening.media()).audioEnergy > 0);
      assert.is(await listening.status(), 'Playing sound only');
      assert.equal([...watching.console, ...listening.console], []);
      await watching.page.close();
      await listening.page.close();
    } finally {
      for (const sender of senders) sender.kill('SIGKILL');
    }
  });
});

test('a stream that is not live yet is waited for', async () => {
  await withServer('node', ['--stream', 'cam1=rtp:0'], async (server) => {
    const tab = await browser.watch(`${server.url}/play/cam1`);
    await eventually('the reason', async () => /not live/.test((await tab.status()) ?? ''));
    const sender = sendRtp(server.announcement.streams.cam1 ?? {});
    try {
      await tab.frames(30);
      assert.is(await tab.status(), '');
      await tab.page.close();
    } finally {
      sender.kill('SIGKILL');
    }
  });
});

test('a source that pauses is waited for; one that has ended may come back', async () => {
  const config = join(mkdtempSync(join(tmpdir(), 'fetch-whep-test-')), 'config.json');
  writeFileSync(config, JSON.stringify({ streams: { cam1: 'rtp:0' }, silenceSeconds: 1, graceSeconds: 6 }));
  await withServer('node', ['--config', config], async (server) => {
    const ports = server.announcement.streams.cam1 ?? {};
    let sender = sendRtp(ports);
    try {
      const tab = await browser.watch(`${server.url}/play/cam1`);
      const says = (pattern: RegExp) =>
        eventually(String(pattern), async () => pattern.test((await tab.status()) ?? ''), 20_000);
      await says(/^$/);
      sender.kill('SIGKILL');
      await says(/^The stream pauses/);
      sender = sendRtp(ports);
      await says(/^$/);
      assert.is(tab.sessions.length, 1);

      sender.kill('SIGKILL');
      await says(/^The stream has ended/);
      sender = sendRtp(ports);
      await says(/^$/);
      await tab.frames(30);
      assert.is(tab.sessions.length, 2);
      await tab.page.close();
    } finally {
      sender.kill('SIGKILL');
      rmSync(dirname(config), { recursive: true });
    }
  });
});

test('a server that is killed and comes back is found again', async () => {
  const first = await startServer('node', []);
  const tab = await browser.watch(`${first.url}/play/demo`);
  await tab.frames(10);
  first.child.kill('SIGKILL');
  await first.child.ended;
  await eventually('the loss to be noticed', async () => /lost|reached/.test((await tab.status()) ?? ''), 20_000);
  await withServer('node', ['--port', new URL(first.url).port], async () => {
    await eventually('the status to clear', async () => (await tab.status()) === '', 30_000);
    await tab.frames(30);
    await tab.page.close();
  });
});

test('a session that the server ends is noticed at once and followed by another', async () => {
  await withServer('node', [], async (server) => {
    const tab = await browser.watch(`${server.url}/play/demo`);
    await tab.frames(10);
    await fetch(tab.sessions[0] ?? '', { method: 'DELETE' });
    // ICE alone would take about 6 s to notice.
    await eventually('another session', () => tab.sessions.length === 2, 4000);
    await tab.frames(10);
    await tab.page.close();
  });
});

test('leaving the page ends the session at once', async () => {
  await withServer('node', [], async (server) => {
    const tab = await browser.watch(`${server.url}/play/demo`);
    await tab.frames(10);
    await server.viewers(1);
    await tab.page.goto('about:blank');
    await server.viewers(0, 3000);
    await tab.page.close();
  });
});

test('a token in the fragment opens a guarded stream; without it the page asks for one', async () => {
  await withServer('node', ['--token', 'sesame', '--open', 'observe'], async (server) => {
    const asked = await browser.watch(`${server.url}/play/demo`);
    const field = asked.page.getByLabel('Token');
    await field.fill('open');
    await asked.page.getByRole('button', { name: 'Watch' }).click();
    await eventually('the refusal', async () => /the bearer token is wrong/.test((await asked.status()) ?? ''));
    await field.fill('sesame');
    await field.press('Enter');
    await asked.frames(10);
    const allowed = await browser.watch(`${server.url}/play/demo#token=sesame`);
    await allowed.frames(10);
    await asked.page.close();
    await allowed.page.close();
    await server.viewers(0, 3000);
  });
});

test('plays under a base path, and behind a proxy that strips one', async () => {
  await withServer('node', ['--base-path', '/live'], async (server) => {
    const tab = await browser.watch(`${server.url}/live/play/demo`);
    await tab.frames(10);
    assert.match(tab.sessions[0] ?? '', `${server.url}/live/whep/demo/`);
    await tab.page.close();
    await server.viewers(0, 3000, '/live');
  });
  await withServer('node', ['--base-path', '/tv', '--base-path-stripped', 'on'], async (server) => {
    const proxy = createProxy((incoming, outgoing) => {
      const { method, headers, url = '' } = incoming;
      const onward = forward(`${server.url}${url.replace(/^\/tv/, '')}`, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(onward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    try {
      const tab = await browser.watch(`http://127.0.0.1:${port}/tv/play/demo`);
      await tab.frames(10);
      await tab.page.close();
      await server.viewers(0, 3000);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});

test.run();

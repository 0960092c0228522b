import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { LossyBrowser, watchFor } from '../support/lossy.ts';
import { numberedBars, sendRtp } from '../support/picture.ts';
import { startServer } from '../support/server.ts';

const test = suite('a line that loses packets, with a round trip of 40 ms');
/** Seconds of one look; `scripts/bench loss` takes a minute. */
const seconds = 15;

/** Plays over a line until a look at it satisfies: a starved machine freezes pictures that no line has harmed. */
async function plays(lossPercent: number, relayed: boolean, leastShare: number): Promise<void> {
  const browser = await LossyBrowser.launch(lossPercent, { relayed });
  const server = await startServer('node', ['--host', browser.address, '--stream', 'cam1=rtp:0,0']);
  const ffmpeg = sendRtp(server.announcement.streams.cam1 ?? {}, numberedBars({ pattern: 'testsrc2' }), [
    '-g',
    '60',
    '-b:v',
    '2M',
  ]);
  try {
    await server.live();
    const tab = await browser.watch(`${server.url}/play/cam1`);
    await tab.frames(90);
    await eventually(
      `${lossPercent} % of loss repaired`,
      async () => {
        const watched = await watchFor(tab, seconds);
        console.log(`${lossPercent} % lost by the ${browser.lossBy}: ${JSON.stringify(watched)}`);
        assert.ok(watched.retransmitted > 0, 'nothing came by RTX');
        const { decodedShare, longestFreeze, keyframeRequests } = watched;
        return decodedShare >= leastShare && keyframeRequests < 3 && (lossPercent > 5 || longestFreeze <= 0.3);
      },
      4 * seconds * 1000,
    );
    await tab.page.close();
    assert.equal(await server.stop(), { code: 0, signal: null });
  } finally {
    ffmpeg.kill('SIGKILL');
    server.child.kill('SIGKILL');
    await browser.close();
  }
}

test('5 %, lost by the kernel: no long freeze, and nearly every frame is decoded', () => plays(5, false, 0.95));

test('10 %, lost by a relay: most frames are decoded', () => plays(10, true, 0.85));

test.run();

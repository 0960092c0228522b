import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chromium } from '../support/chromium.ts';
import { withServer } from '../support/server.ts';
import { TurnServer, trustTheRelay } from '../support/turn.ts';

const test = suite('a viewer whose network lets nothing but a relay through');
let browser: Chromium;
let turn: TurnServer;

test.before(async () => {
  turn = await TurnServer.start();
  browser = await Chromium.launch(undefined, [trustTheRelay()]);
});

test.after(async () => {
  await browser.close();
  await turn.close();
});

for (const leg of ['udp', 'tcp', 'tls'] as const) {
  test(`plays through TURN over ${leg}`, () =>
    withServer('node', [], async (server) => {
      const tab = await browser.watch(`${server.url}/play/demo`, {}, async (page) => {
        await page.addInitScript((iceServer) => {
          globalThis.RTCPeerConnection = class extends RTCPeerConnection {
            constructor() {
              super({ iceServers: [iceServer], iceTransportPolicy: 'relay' });
            }
          };
        }, turn.iceServer(leg));
      });
      await tab.frames(30);
      assert.is(await tab.relayedBy(), leg);
      await tab.page.close();
    }));
}

test.run();

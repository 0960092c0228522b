import type { Cable } from './cable.ts';
import { waitFor } from './measure.ts';
import type { Target } from './target.ts';

/** What a server of ours has sent in bursts: SRTP and SRTCP. */
export interface Sends {
  datagrams: number;
  /** Of them, those that went past libdatachannel. */
  direct: number;
  /** System calls. */
  calls: number;
}

/** A server that has been left says its last word by then. Milliseconds. */
const LAST = 10_000;

/** Undefined for a server that is not ours. */
export async function sendsOf(origin: string | undefined): Promise<Sends | undefined> {
  if (origin === undefined) return undefined;
  const metrics = await (await fetch(`${origin}/metrics`)).text();
  const [datagrams = 0, direct = 0, calls = 0] = ['datagrams', 'direct_datagrams', 'calls'].map((name) =>
    Number(new RegExp(`^whep_send_${name}_total (\\d+)$`, 'm').exec(metrics)?.[1]),
  );
  return { datagrams, direct, calls };
}

/** What a server has sent, and what the cable has brought, once neither becomes more. */
export async function ledger({ origin }: Target, cable: Cable): Promise<{ sent: number; arrived: number }> {
  const look = async () => {
    const sent = (await sendsOf(origin))?.datagrams ?? 0;
    const { media, control } = cable.arrived();
    return { sent, arrived: media.packets + control.packets };
  };
  let [before, now] = [await look(), await look()];
  await waitFor('the server to fall silent', LAST, async () => {
    [before, now] = [now, await look()];
    return before.sent === now.sent && before.arrived === now.arrived;
  });
  return now;
}

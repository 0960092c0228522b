import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** One offer of the corpus, CRLF. The name ends in what the client wants, as in `chromium-watch`. */
export interface SampleOffer {
  name: string;
  role: 'watch' | 'publish';
  sdp: string;
}

/**
 * Offers as clients send them: Chromium's are its own, the others are written after the clients' sources. The files
 * have LF line ends, and tests run in the checkout's root.
 */
export const offers: SampleOffer[] = readdirSync(join(process.cwd(), 'test/support/offers'))
  .sort()
  .map((file) => ({
    name: file.replace('.sdp', ''),
    role: file.includes('publish') ? 'publish' : 'watch',
    sdp: readFileSync(join(process.cwd(), 'test/support/offers', file), 'utf8').replace(/\r?\n/g, '\r\n'),
  }));

export function offerOf(name: string): string {
  const found = offers.find((each) => each.name === name);
  if (!found) throw new Error(`there is no offer ${name} in the corpus`);
  return found.sdp;
}

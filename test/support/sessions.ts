import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** What FFmpeg 5.1 wrote with `-sdp_file`, as it wrote it; tests run in the checkout's root. */
export function sessionOf(name: string): string {
  return readFileSync(join(process.cwd(), 'test/support/sessions', `${name}.sdp`), 'utf8');
}

/** A description of one video leg, with lines behind it. */
export function videoSession(...lines: string[]): string {
  return ['v=0', 'o=- 0 0 IN IP4 127.0.0.1', 's=-', 't=0 0', 'm=video 5004 RTP/AVP 96', ...lines].join('\r\n');
}

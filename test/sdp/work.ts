import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StreamFacts } from '../../src/engine/port.ts';
import { Failure } from '../../src/errors.ts';
import { parseFragment } from '../../src/sdp/fragment.ts';
import { edit, exchange, STREAM, STREAMS } from '../support/exchange.ts';
import { h264Facts } from '../support/facts.ts';
import { offerOf } from '../support/offers.ts';
import { type Work, workOf } from '../support/work.ts';

// An offer is read on the event loop, by whoever sends it. Work is counted, not timed.
const test = suite('the work of the worst offers');

const chromium = offerOf('chromium-watch');
/** Bytes: what a POST may bring, and the size at which growth is measured. */
const WHOLE = 32 * 1024;
const HALF = WHOLE / 2;
/** Elements, or characters, that may be looked at for each byte. */
const MOST = 15;
/** Lines that a whole offer may have. */
const MAX_LINES = 1000;

/** The offer, with as many of the lines behind those that begin with `start` as fit. */
function filled(base: string, start: string, line: (at: number) => string, size: number, limit = MAX_LINES): string {
  const lines: string[] = [];
  let room = size - base.length;
  const most = Math.min(MAX_LINES * (size / WHOLE) - base.split('\n').length, limit);
  for (let at = 0; lines.length < most; at++) {
    room -= line(at).length + 2;
    if (room < 0) break;
    lines.push(line(at));
  }
  const [first = ''] = base.split('\r\n').filter((each) => each.startsWith(start));
  return base.replace(first, [first, ...lines].join('\r\n'));
}

const words = (start: string, count: number) => Array.from({ length: count }, (_, at) => `${start}${at}`).join(' ');

/** Video of as many payload types as there are, for a whole offer. */
const manyTypes = (size: number) =>
  edit(chromium, 'm=video', `m=video 9 UDP/TLS/RTP/SAVPF ${words('', 128 * (size / WHOLE))}`);
const manyLines = (size: number) => {
  const count = 62 * (size / WHOLE);
  const [session = '', video = ''] = chromium
    .replace(/a=(rtcp-fb|fmtp|rtpmap|extmap|candidate).*\r\n/g, '')
    .split(/^(?=m=)/m);
  const mids = Array.from({ length: count }, (_, at) => `v${at}`);
  return (
    session.replace('BUNDLE 0 1', `BUNDLE ${mids.join(' ')}`) +
    mids.map((mid) => edit(video, 'a=mid', `a=mid:${mid}`)).join('')
  );
};
const repeated = (line: string, base: (size: number) => string) => (size: number) =>
  filled(base(size), 'a=mid:0', () => line, size);

/** A format of a codec under each of as many payload types as there are. */
const manyFormats = (map: string, config: string) => (size: number) => {
  const lines = Array.from({ length: 120 * (size / WHOLE) }, (_, at) => [
    `a=rtpmap:${at} ${map}`,
    `a=fmtp:${at} ${config};x=${'x'.repeat(180)}`,
  ]);
  const bare = manyTypes(size).replace(/a=(rtpmap|fmtp|rtcp-fb|extmap):.*\r\n/g, '');
  return edit(bare, 'a=mid:0', 'a=mid:0', ...lines.flat());
};
const shapes: Record<string, (size: number) => string> = {
  'many payload types, and attributes nobody knows': repeated('a=x', manyTypes),
  'many payload types, and parameters of one': repeated('a=fmtp:8 a', manyTypes),
  'many payload types, and parameters of none': repeated('a=fmtp:x a', manyTypes),
  'many payload types, and rtpmaps of one': repeated('a=rtpmap:8 VP8/90000', manyTypes),
  'many payload types, and feedback': repeated('a=rtcp-fb:* nack', manyTypes),
  'parameters without end': (size) =>
    edit(chromium, 'a=fmtp:111', `a=fmtp:111 ${'a;'.repeat((size - chromium.length) / 2)}`),
  'header extensions': (size) => filled(chromium, 'a=mid:0', (at) => `a=extmap:${at + 20} u`, size),
  'header extensions of the session, for many lines': (size) =>
    filled(manyLines(size / 2), 't=', (at) => `a=extmap:${at + 20} u`, size),
  'candidates of the session, for many lines': (size) => {
    const candidate = (at: number) => `a=candidate:1 1 udp 1 192.0.2.1 ${at + 1} typ host`;
    return filled(manyLines(size / 2), 't=', candidate, size, 200 * (size / WHOLE));
  },
  'fingerprints of the session, for many lines': (size) =>
    filled(manyLines(size / 2), 't=', () => 'a=fingerprint:md5 00', size),
  'many lines': manyLines,
  'mids of a group, for many lines': (size) =>
    edit(manyLines(size / 2), 'a=group', `a=group:BUNDLE ${words('g', size / 16)}`),
  groups: (size) => filled(chromium, 'a=group', (at) => `a=group:BUNDLE g${at}`, size),
  'formats that are none': (size) => edit(chromium, 'm=audio', `m=audio 9 UDP/TLS/SCTP ${words('f', size / 8)}`),
  SSRCs: (size) => filled(chromium, 'a=mid:0', (at) => `a=ssrc:${at} cname:x`, size),
  crypto: (size) => filled(chromium, 't=', () => 'a=crypto:1 x', size),
  'ICE options': (size) => edit(chromium, 't=', 't=0 0', `a=ice-options:${words('o', size / 8)}`),
  'formats of AV1': manyFormats('AV1/90000', 'profile=1'),
  'formats of VP9': manyFormats('VP9/90000', 'profile-id=3'),
  'formats of H265': manyFormats('H265/90000', 'profile-id=2;tier-flag=1'),
  'formats of VP8': manyFormats('VP8/90000', 'max-fs=1'),
  'formats of multiopus': (size) =>
    manyFormats('multiopus/48000/6', 'num_streams=4')(size).replace('m=video', 'm=audio'),
  'a parameter of AV1 without end': (size) =>
    edit(chromium, 'a=fmtp:45', `a=fmtp:45 ${'profile=0;'.repeat((size - chromium.length) / 10)}`),
  'parameters of AV1 without end': (size) =>
    edit(chromium, 'a=fmtp:45', `a=fmtp:45 ${words(';x', (size - chromium.length) / 8).replaceAll(' ', '')}`),
  blanks: (size) => edit(chromium, 's=', `s=${' '.repeat(size - chromium.length)}x`),
};

function answer(sdp: string, terms: Parameters<typeof exchange>[1]): void {
  try {
    exchange(sdp, terms);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}

/** Who watches what: the work grows with the offer alone, whatever the stream is. */
const streams: StreamFacts[] = [{ ...STREAM, video: h264Facts('640028') }, ...Object.values(STREAMS)];

for (const [what, offer] of Object.entries(shapes)) {
  test(what, () => {
    const [half, whole] = [offer(HALF), offer(WHOLE)];
    assert.ok(whole.length <= WHOLE && whole.length > half.length, `${half.length}, ${whole.length} bytes`);
    for (const stream of streams) {
      grows(
        workOf(() => answer(half, { stream })),
        workOf(() => answer(whole, { stream })),
      );
    }
    const sent = (sdp: string) => sdp.replaceAll('a=recvonly', 'a=sendonly');
    grows(
      workOf(() => answer(sent(half), { role: 'publish' })),
      workOf(() => answer(sent(whole), { role: 'publish' })),
    );
  });
}

/** Twice the text is twice the work, and there is little of it for each byte. */
function grows(half: Work, whole: Work): void {
  for (const of of ['elements', 'characters'] as const) {
    assert.ok(whole[of] < 2.5 * half[of], `${of}: ${half[of]}, then ${whole[of]}`);
    assert.ok(whole[of] < MOST * WHOLE, `${of}: ${whole[of]}`);
  }
}

test('fragments', () => {
  const fragment = (size: number) => {
    const section = (at: number) => `m=a 9 b c\r\na=mid:${at}\r\na=candidate:1 1 udp 1 192.0.2.1 ${at + 1} typ host`;
    const sections = Array.from({ length: size / 128 }, (_, at) => section(at));
    return [`a=ice-ufrag:abcd`, `a=x${' '.repeat(size / 4)}y`, ...sections].join('\r\n');
  };
  const work = (size: number) => workOf(() => parseFragment(fragment(size)));
  grows(work(HALF), work(WHOLE));
});

test.run();

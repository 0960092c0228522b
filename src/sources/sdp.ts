import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import * as z from 'zod';
import { Failure } from '../errors.ts';
import { readSession, type SentLeg, type SentSession } from '../sdp/session.ts';
import { isBindable } from './addresses.ts';
import { type RtpSpec, rtpSchema } from './rtp/spec.ts';

/** Characters; what encoders write has some hundred. */
const MAX_TEXT = 64 * 1024;
const SIZE = `an SDP has at most ${MAX_TEXT} characters`;
const FORM = 'give the path of an SDP file, its text, { "file": "cam.sdp" } or { "text": "v=0..." }';
const HOST = 'give an IP address of this machine to bind';

const object = z
  .strictObject({
    file: z.string(FORM).min(1, FORM).optional(),
    text: z.string(FORM).min(1, FORM).max(MAX_TEXT, SIZE).optional(),
    host: z
      .string(HOST)
      .refine((text) => isIP(text) !== 0, HOST)
      .optional()
      .describe('The address to bind, whatever the c= lines say'),
  })
  .refine(({ file, text }) => (file === undefined) !== (text === undefined), 'needs either a file or a text');

/** RTP as a session description tells of it: a string with line breaks is one, any other the path of its file. */
export const sdpSchema = z.union(
  [
    z
      .string()
      .transform((text): z.input<typeof object> => (/[\r\n]/.test(text) ? { text } : { file: text }))
      .pipe(object),
    object,
  ],
  FORM,
);

export type SdpSpec = z.output<typeof sdpSchema>;

/** The RTP source that a description stands for; a file is read now. Throws `invalid-options`, with the line. */
export function rtpOf({ file, text, host }: SdpSpec): RtpSpec {
  try {
    const session = readSession(text ?? read(file ?? ''));
    return checked({ ...withoutAddresses(session), host: host ?? addressOf(session) });
  } catch (error) {
    if (!(error instanceof Failure) || file === undefined) throw error;
    throw new Failure(error.code, `${file}: ${error.message}`, { cause: error });
  }
}

function read(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length <= MAX_TEXT) return text;
  } catch (error) {
    throw refused(`cannot be read (${error instanceof Error && 'code' in error ? error.code : error})`);
  }
  throw refused(SIZE);
}

/** Where its legs are sent to; undefined when it does not say. Throws for what is not here, and for two addresses. */
function addressOf({ video, audio }: SentSession): string | undefined {
  const [first, second = first] = [video, audio].flatMap((leg) => (leg?.address ? [bindable(leg.address)] : []));
  if (first !== second) throw refused(`video goes to ${first}, audio to ${second}: give the "host" for both`);
  return first;
}

function bindable({ name, line }: NonNullable<SentLeg['address']>): string {
  const address = name === 'localhost' ? '127.0.0.1' : name;
  if (isBindable(address)) return address;
  throw refused(`${name} is no address of this machine: give the "host" to bind; line ${line}`);
}

function withoutAddresses({ video, audio }: SentSession): Pick<z.input<typeof rtpSchema>, 'video' | 'audio'> {
  const { address: _, ...videoLeg } = video ?? { port: 0 };
  const { address: __, ...audioLeg } = audio ?? { port: 0 };
  return { ...(video && { video: videoLeg }), ...(audio && { audio: audioLeg }) };
}

/** By the rules that an RTP source has for its legs together. */
function checked(input: z.input<typeof rtpSchema>): RtpSpec {
  const parsed = rtpSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw refused(parsed.error.issues.map(({ message }) => message).join(', '));
}

function refused(why: string): Failure {
  return new Failure('invalid-options', why);
}

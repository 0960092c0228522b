import * as z from 'zod';
import { legList } from '../legs.ts';

const URL_FORM = 'give the http:// or https:// URL of a WHEP endpoint';
const ORIGINS = 'give origins such as ["https://node2.example"], or true for all of them';
const TOKEN = 'a token is printable ASCII without spaces';

const origin = z
  .string(ORIGINS)
  .regex(/^https?:\/\/[^/?#@\s]+\/?$/i, ORIGINS)
  .refine((text) => URL.canParse(text), ORIGINS)
  .transform((text) => new URL(text).origin);

/** Whose user name and password can be read as well. */
function isEndpoint(text: string): boolean {
  if (!/^https?:\/\/[^/\s]+/i.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

/** Where to pull a stream from. */
export const whepSchema = z
  .strictObject({
    /** A user name and password in it are sent as Basic credentials (RFC 7617). */
    url: z.string(URL_FORM).refine(isEndpoint, URL_FORM),
    /** Bearer token (RFC 6750). */
    token: z
      .string(TOKEN)
      .regex(/^[\x21-\x7e]+$/, TOKEN)
      .optional(),
    /** Origins besides its own to which its redirects and session URLs may lead; true: all. */
    followOrigins: z
      .union([z.literal(true), z.array(origin).readonly()], ORIGINS)
      .optional()
      .describe('Origins to which its redirects and session URLs may lead besides its own; true: all'),
    /** What the other server has; what it refuses is left out all the same. */
    legs: legList.default(['video', 'audio']),
  })
  .refine(({ url, token }) => token === undefined || !/^[^/]+\/\/[^/?#]*@/.test(url), {
    error: 'give credentials in the URL or a token, not both',
    path: ['token'],
  });

export type WhepSpec = z.output<typeof whepSchema>;

import { isIP } from 'node:net';
import * as z from 'zod';
import {
  ACTIONS,
  type AccessOptions,
  type Action,
  type Authorize,
  rulesOf,
  type TOKEN_OPTIONS,
  type Tokens,
} from './access.ts';
import { CONFORMANCE } from './conformance.ts';
import type { Codec } from './engine/codecs.ts';
import type { MediaEngine } from './engine/port.ts';
import { Failure } from './errors.ts';
import { publishedCodecs } from './sources/codecs.ts';
import { rtpOf } from './sources/sdp.ts';
import type { Source } from './sources/source.ts';
import {
  ADMIN_SOURCES,
  type AdminSource,
  DEFAULT_ADMIN_SOURCES,
  type SourceInput,
  type SourceSpec,
  sourceSchema,
} from './sources/spec.ts';
import { faults, parse, validate } from './validate.ts';

/** An ICE server as `RTCPeerConnection` takes it; a TURN URI needs both a user name and a credential. */
export interface IceServer {
  urls: string | readonly string[];
  username?: string | undefined;
  credential?: string | undefined;
}

/** The options of `createServer`. */
export interface ServerOptions extends Tokens {
  /**
   * The public path prefix, `/` by default: `Location`, `Link` and the links of the pages carry it, and nothing answers
   * outside it.
   */
  basePath?: string | undefined;
  /**
   * A framework or proxy takes the base path away before the request comes here, as `app.mount('/live', server.fetch)` of
   * Hono does: requests then come without it. False by default.
   */
  basePathStripped?: boolean | undefined;
  /** Put the `X-Forwarded-Prefix` of a request before its path in links. Only behind a proxy that always sets it. */
  trustForwardedPrefix?: boolean | undefined;
  /** Streams by id (1 to 128 of `A-Z a-z 0-9 . _ ~ -`), each a SOURCE string, its object form or a `Source`. */
  streams?: Record<string, SourceInput | Source> | undefined;
  /** `native` needs the addon; `auto` takes the best that loads. An engine of your own is closed with the server. */
  engine?: 'auto' | 'native' | 'portable' | MediaEngine | undefined;
  /** Address on which media is bound; absent: every interface, IPv4 and IPv6. */
  mediaHost?: string | undefined;
  /** First UDP port for viewers; 0 (the default) lets the system choose. */
  mediaPort?: number | undefined;
  /** Further addresses to put into answers as host candidates: those by which a NAT or container is reached. */
  announce?: readonly string[] | undefined;
  /**
   * Who begins ICE checks. `client`, the default: candidates of clients are read and not used; a client is known by its own
   * checks, so nobody can have the server send to an address of somebody else. `both`: for a server that clients cannot
   * reach at the addresses in its answers, behind a NAT without a forwarded port.
   */
  iceChecks?: 'client' | 'both' | undefined;
  /** Egress threads; the engine chooses when absent. */
  shards?: number | undefined;
  /** Viewers in all, 1000 by default. */
  maxViewers?: number | undefined;
  /**
   * Viewers of one stream. By default 8 with `conformance: 'classic'`, which has it so; else only the total counts.
   * `Infinity` or `'none'` lifts the cap.
   */
  maxViewersPerStream?: number | 'none' | undefined;
  /** Where the classic contract and draft-ietf-wish-whep differ: which one to follow. `classic` by default. */
  conformance?: 'classic' | 'draft' | undefined;
  /**
   * Refuse viewers whose H264 formats do not decode the stream's profile by the book. False by default: Firefox and
   * GStreamer offer no more than baseline, and play Main and High.
   */
  strictProfiles?: boolean | undefined;
  /**
   * What publishers may send, in the server's order of preference, for `whip` streams that do not say so themselves. Of
   * video or audio that is not named, and by default: h264, vp8, vp9, av1, h265; opus, g722, pcmu, pcma.
   */
  codecs?: readonly Codec[] | undefined;
  /** Bearer token to watch. As soon as one action has a token or a hook or is `open`, what is not named is closed. */
  token?: string | undefined;
  /** Bearer token to publish. That to watch does not do. */
  publishToken?: string | undefined;
  /** Bearer token to observe: index, statistics, metrics and OpenAPI. The admin token does as well. */
  observeToken?: string | undefined;
  /** Bearer token of the admin API; without one, and without `authorize.admin`, the API does not exist. */
  adminToken?: string | undefined;
  /** What everybody may do although other actions have tokens or hooks: `['watch']` for public streams. */
  open?: AccessOptions['open'];
  /**
   * What the admin API may add: kinds of sources, `rtp`, `sdp` (its text), `whip`, `whep`, `push` and `clip` by default. `ffmpeg`
   * reads streams of the network, `ffmpeg-unsafe` does whatever FFmpeg can, files of this machine included; with `private` these and `whep`
   * may read from this machine and private networks too.
   */
  adminSources?: readonly AdminSource[] | undefined;
  /**
   * Asked after the token, for every POST, for every plain OPTIONS, for a PATCH or DELETE that carries an `Authorization`
   * header, and for what is observed and administered. One that throws, or takes longer than 10 s, is a 500. One function
   * for all actions (then `admin` needs `adminToken` as well), or an object of one for each: those it leaves out are closed.
   */
  authorize?: AccessOptions['authorize'];
  /**
   * Origins whose pages may use the server; absent: all. Where nobody needs credentials and the server is reached by a
   * loopback name, absent means pages of this machine, since otherwise each page that its browsers show could watch.
   */
  allowedOrigins?: readonly string[] | undefined;
  /** ICE servers for clients, or a function that gives them for a request. */
  iceServers?:
    | readonly IceServer[]
    | ((request: Request) => readonly IceServer[] | Promise<readonly IceServer[]>)
    | undefined;
  /** TURN servers that share `secret` with us: clients get credentials of their own for `ttlSeconds`, an hour at most and by default. */
  turn?: { urls: string | readonly string[]; secret: string; ttlSeconds?: number | undefined } | undefined;
  /**
   * Token bucket per client for everything but health and the player page. The client is `key(request)`, by default the address of its socket (of
   * IPv6 the first 64 bits) where the host tells (srvx and our own `serve` do); clients that cannot be told apart share
   * one bucket.
   */
  rateLimit?:
    | { perSecond: number; burst?: number | undefined; key?: ((request: Request) => string) | undefined }
    | undefined;
  /** How long viewers of a stream wait for a source that fell silent. Seconds, 10 by default; 0 ends them at once. */
  graceSeconds?: number | undefined;
  /** A leg without a packet for this long has fallen silent. Seconds, 2 by default. */
  silenceSeconds?: number | undefined;
  /**
   * A viewer sees the newest keyframe at once and catches up, rather than wait for the next. True by default. What is
   * kept of each leg for that, and for repairing losses, has two bounds: `cacheBytes` (8 MiB) and `cacheSeconds` (10).
   */
  instantStart?: boolean | undefined;
  cacheBytes?: number | undefined;
  cacheSeconds?: number | undefined;
  /**
   * Bytes that may leave at once for one viewer, 64000 by default: what the queue of a home router takes. Large keyframes
   * and retransmissions beyond them are spread over time; `Infinity` or `'none'` lifts the limit.
   */
  burstBytes?: number | 'none' | undefined;
  /** How long a client may take to send a request body. Seconds, 10 by default. */
  bodyTimeoutSeconds?: number | undefined;
  /** Metrics of the process (CPU, memory, event loop) beside our own. True by default. */
  processMetrics?: boolean | undefined;
}

const STREAM_ID = 'a stream id is 1 to 128 characters of A-Z, a-z, 0-9, ".", "_", "~" and "-", and not "." or ".."';
const streamId = z
  .string(STREAM_ID)
  .regex(/^[A-Za-z0-9._~-]{1,128}$/, STREAM_ID)
  .refine((id) => id !== '.' && id !== '..', STREAM_ID);

// Quotes, commas and angle brackets would break the Link header that carries the URI (RFC 8288 §3).
const ICE_URI = 'give a URI such as stun:host:3478 or turn:host:3478?transport=udp (RFC 7064, RFC 7065)';
const iceUri = z.string(ICE_URI).regex(/^(stuns?|turns?):[^\s<>",;]+$/i, ICE_URI);
const urls = z.union([iceUri, z.array(iceUri).min(1, ICE_URI).readonly()], ICE_URI);
const printable = z.string().regex(/^[\x20-\x7e]+$/, 'only printable ASCII fits into a header');

export const iceServer = z
  .strictObject({ urls, username: printable.optional(), credential: printable.optional() })
  .refine(
    (server) => [server.urls].flat().every((uri) => !/^turn/i.test(uri)) || (server.username && server.credential),
    'a TURN server needs a username and a credential',
  );

const ORIGIN = 'give an origin such as https://example.org';
const origin = z
  .string(ORIGIN)
  .regex(/^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/i, ORIGIN)
  .refine((text) => URL.canParse(text), ORIGIN)
  // As browsers write it: lower case, without the port that the scheme implies. Schemes of apps have no such form.
  .transform((text) => (/^https?:/i.test(text) ? new URL(text).origin : text));

const SECRET = 'a secret is one or more printable ASCII characters without spaces';
const secret = z.string(SECRET).regex(/^[\x21-\x7e]+$/, SECRET);
const ADMIN_SOURCE = `give a list of ${ADMIN_SOURCES.join(', ')}`;
const BASE_PATH = 'give an absolute path such as /live';
const NO_NAME = 'give an IP address: browsers take no names in candidates';
const ADDRESS = 'give an IP address of this machine';
const FUNCTION = 'give a function, which only a program can: leave it out of a file';
const OPEN = 'give a list of watch, publish and observe';
const HOOKS =
  'give a function, or an object with one for each of watch, publish, observe and admin: leave it out of a file';
const COUNT = 'give a whole number of at least 1';
const SECONDS = 'give a number of seconds';
const hook = z.custom<Authorize>((value) => typeof value === 'function', FUNCTION);
const count = z.int(COUNT).min(1, COUNT);
const seconds = z.number(SECONDS).min(0, SECONDS).max(86_400, SECONDS);
const none = z.literal('none').transform(() => Number.POSITIVE_INFINITY);
const endless = z.literal(Number.POSITIVE_INFINITY);

const address = z.string(ADDRESS).refine((text) => isIP(text) !== 0, ADDRESS);

const anySource = z.unknown().transform((value, context): SourceSpec | Source => {
  if (isSource(value)) return value;
  const parsed = parse(sourceSchema, value);
  if (parsed.success) return ready(parsed.data, context);
  for (const fault of parsed.error.issues.flatMap(faults)) context.addIssue({ code: 'custom', ...fault });
  return z.NEVER;
});

/** A description is read at once: its faults are those of the options, and a reload sees what has changed. */
function ready(spec: SourceSpec, context: z.RefinementCtx): SourceSpec {
  if (spec.sdp === undefined) return spec;
  try {
    return { rtp: rtpOf(spec.sdp) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    context.addIssue({ code: 'custom', path: ['sdp'], message: error.message });
    return z.NEVER;
  }
}

const tokenShape = z.strictObject({
  token: secret.optional(),
  publishToken: secret.optional(),
  observeToken: secret.optional(),
  adminToken: secret.optional(),
} satisfies Record<(typeof TOKEN_OPTIONS)[Action], z.ZodType>);

const shape = z.strictObject({
  basePath: z
    .string(BASE_PATH)
    .regex(/^(\/[A-Za-z0-9._~%@:-]+)*\/?$/, BASE_PATH)
    .default('/')
    .transform((path) => path.replace(/\/$/, '')),
  basePathStripped: z.boolean('give true or false').default(false),
  trustForwardedPrefix: z.boolean('give true or false').default(false),
  streams: z.record(streamId, anySource).readonly().prefault({}),
  engine: z
    .union([z.enum(['auto', 'native', 'portable']), z.custom<MediaEngine>(isEngine)], 'give auto, native or portable')
    .default('auto'),
  mediaHost: address.optional(),
  mediaPort: z.int('give a UDP port').min(0, 'give a UDP port').max(65535, 'give a UDP port').default(0),
  announce: z
    .array(z.string(NO_NAME).refine((text) => isIP(text) !== 0, NO_NAME))
    .readonly()
    .prefault([]),
  iceChecks: z.enum(['client', 'both'], 'give client or both').default('client'),
  shards: count.max(256, 'give at most 256 shards').optional(),
  maxViewers: z.union([count, endless], `${COUNT}, or Infinity`).default(1000),
  maxViewersPerStream: z.union([count, endless, none], `${COUNT}, or none`).optional(),
  conformance: z.enum(['classic', 'draft'], 'give classic or draft').default('classic'),
  strictProfiles: z.boolean('give true or false').default(false),
  codecs: publishedCodecs.optional(),
  ...tokenShape.shape,
  adminSources: z.array(z.enum(ADMIN_SOURCES, ADMIN_SOURCE), ADMIN_SOURCE).readonly().default(DEFAULT_ADMIN_SOURCES),
  open: z
    .array(z.enum(['watch', 'publish', 'observe'], OPEN))
    .readonly()
    .optional(),
  authorize: z.union([hook, z.partialRecord(z.enum(ACTIONS), hook).readonly()], HOOKS).optional(),
  allowedOrigins: z.array(origin).readonly().optional(),
  iceServers: z
    .union(
      [
        z.array(iceServer).readonly(),
        z.custom<(request: Request) => readonly IceServer[] | Promise<readonly IceServer[]>>(
          (value) => typeof value === 'function',
        ),
      ],
      'give a list of { urls, username, credential }, or a function',
    )
    .prefault([]),
  turn: z
    .strictObject({ urls, secret, ttlSeconds: count.max(3600, 'give at most an hour').default(3600) })
    .readonly()
    .optional(),
  rateLimit: z
    .strictObject({
      perSecond: z.number('give requests per second').positive('give requests per second'),
      burst: count.default(20),
      key: z.custom<(request: Request) => string>((value) => typeof value === 'function', FUNCTION).optional(),
    })
    .readonly()
    .optional(),
  graceSeconds: seconds.default(10),
  silenceSeconds: seconds.min(0.1, SECONDS).default(2),
  instantStart: z.boolean('give true or false').default(true),
  cacheBytes: count.default(8 << 20),
  cacheSeconds: seconds.default(10),
  burstBytes: z.union([count, endless, none], `${COUNT}, or none`).default(64_000),
  bodyTimeoutSeconds: seconds.min(0.1, SECONDS).default(10),
  processMetrics: z.boolean('give true or false').default(true),
});

const schema = shape
  .superRefine(({ open, ...options }, context) => {
    for (const action of open ?? []) {
      if (!rulesOf({ ...options, open })[action].open) {
        context.addIssue({
          code: 'custom',
          path: ['open'],
          message: `${action} has a token or a hook: leave out either`,
        });
      }
    }
  })
  .transform((options) => ({
    ...options,
    maxViewersPerStream: options.maxViewersPerStream ?? CONFORMANCE[options.conformance].viewersPerStream,
  }))
  .readonly();

/** The names of all options. */
export const OPTION_NAMES: readonly string[] = Object.keys(shape.shape);

/** Options with every default filled in; frozen. */
export type Settings = z.output<typeof schema>;

/** Throws `invalid-options` with one line per fault: the option's path and what to write instead. */
export function parseOptions(options: ServerOptions): Settings {
  return validate(schema, options, 'options');
}

/** The same for one source, as `streams.add` and the admin API take it; `path` is what the caller calls it. */
export function parseSource(input: SourceInput | Source, path: string): SourceSpec | Source {
  return validate(anySource, input, path);
}

/** Throws `invalid-options`. */
export function parseTokens(tokens: Tokens): Tokens {
  return validate(tokenShape, tokens, 'tokens');
}

/** Throws `invalid-options`. */
export function parseStreamId(id: string): void {
  validate(streamId, id, 'the stream id');
}

function isSource(value: unknown): value is Source {
  return typeof value === 'object' && value !== null && 'start' in value && typeof value.start === 'function';
}

function isEngine(value: unknown): value is MediaEngine {
  return typeof value === 'object' && value !== null && 'addViewer' in value && typeof value.addViewer === 'function';
}

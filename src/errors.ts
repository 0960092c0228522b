/**
 * Everything that can go wrong and that a caller can act on, as one closed union of codes.
 * HTTP statuses are the business of `http/problem.ts`; exit codes that of `cli/`.
 */
export type FailureCode =
  // requests
  | 'missing-stream-id'
  | 'missing-resource-id'
  | 'unauthorized'
  | 'invalid-token'
  | 'forbidden'
  | 'rate-limited'
  | 'unsupported-media-type'
  | 'body-too-large'
  | 'body-unreadable'
  | 'bad-request'
  | 'not-found'
  | 'method-not-allowed'
  | 'misdirected'
  // sessions
  | 'peer-cap'
  | 'stream-peer-cap'
  | 'setup-cap'
  | 'stream-not-found'
  | 'stream-not-live'
  | 'stream-exists'
  | 'resource-not-found'
  | 'publisher-conflict'
  | 'precondition-failed'
  | 'precondition-required'
  // SDP
  | 'invalid-sdp'
  | 'invalid-offer'
  | 'unsupported-offer'
  | 'codec-mismatch'
  | 'too-many-lines'
  | 'too-many-m-lines'
  | 'too-many-candidates'
  | 'invalid-fragment'
  | 'ice-restart-unsupported'
  | 'answer-not-expected'
  | 'invalid-answer'
  // engine and set-up
  | 'engine-timeout'
  | 'engine-failed'
  | 'engine-unavailable'
  | 'address-in-use'
  | 'ffmpeg-missing'
  | 'invalid-options'
  | 'closing';

export interface FailureFacts {
  /** Seconds after which a retry makes sense. */
  retryAfter?: number;
  /** The names of the codecs that the stream carries and the offer lacks, in the order of its legs. */
  missing?: string[];
  /** What the statistics of the stream should say of it, each with its cure. */
  warnings?: string[];
  cause?: unknown;
}

/** An expected failure: `message` is written for the person who caused it and holds no internals. */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly facts: FailureFacts;

  constructor(code: FailureCode, message: string, facts: FailureFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.facts = facts;
  }
}

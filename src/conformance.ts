interface Conformance {
  /** Viewers of one stream where `maxViewersPerStream` is not set. */
  viewersPerStream: number;
  /** Whether an offer must have every codec that the stream carries. */
  completeAnswer: boolean;
  codecMismatch: number;
  /** A PATCH without If-Match: refused (RFC 6585 §3) or taken. */
  ifMatchRequired: boolean;
  deleted: number;
  /** DELETE of what is not there: an error, or as good as done. */
  unknownDeleted: 204 | 404;
}

/** Everything in which the classic contract and draft-ietf-wish-whep-04 differ. */
export const CONFORMANCE: Readonly<Record<'classic' | 'draft', Conformance>> = {
  classic: {
    viewersPerStream: 8,
    completeAnswer: true,
    codecMismatch: 406,
    ifMatchRequired: false,
    deleted: 204,
    unknownDeleted: 204,
  },
  draft: {
    viewersPerStream: Number.POSITIVE_INFINITY,
    completeAnswer: false,
    codecMismatch: 422,
    ifMatchRequired: true,
    deleted: 200,
    unknownDeleted: 404,
  },
};

/** Seconds before the next attempt when the server names none: doubled each time, with a random part. */
const FIRST = 0.5;
const LONGEST = 15;

export interface Refusal {
  /** HTTP status; 0 when there was no response. */
  status: number;
  /** The value of Retry-After, where it was sent. */
  retryAfter: string | null;
}

/** Whether trying again can help, and when. Seconds; undefined for a refusal that will stay one. */
export function retryDelay({ status, retryAfter }: Refusal, attempt: number, random = Math.random): number | undefined {
  if (status >= 400 && status < 500 && ![404, 408, 409, 429].includes(status)) return undefined;
  const asked = Number(retryAfter ?? Number.NaN);
  if (asked >= 0 && asked <= 300) return asked + random();
  return Math.min(FIRST * 2 ** attempt, LONGEST) * (0.75 + random() / 2);
}

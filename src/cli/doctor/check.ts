/** ok: as it should be. warning: works, but less well or not for everybody. problem: broken. */
export type Verdict = 'ok' | 'warning' | 'problem';

export interface Check {
  /** What was looked at. */
  name: string;
  verdict: Verdict;
  /** What was found. */
  found: string;
  /** What to change. */
  cure?: string;
}

export function ok(name: string, found: string): Check {
  return { name, verdict: 'ok', found };
}

export function warning(name: string, found: string, cure: string): Check {
  return { name, verdict: 'warning', found, cure };
}

export function problem(name: string, found: string, cure: string): Check {
  return { name, verdict: 'problem', found, cure };
}

/** The worst of all. */
export function worst(checks: readonly Check[]): Verdict {
  const has = (verdict: Verdict) => checks.some((check) => check.verdict === verdict);
  return has('problem') ? 'problem' : has('warning') ? 'warning' : 'ok';
}

/** What an error says: its message is written for people. */
export function reason(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}

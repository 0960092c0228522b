import { readdirSync, readFileSync } from 'node:fs';

/** What a process has used and holds, from /proc. */
export interface Usage {
  /** Microseconds on a processor, all threads, user and kernel. */
  cpu: number;
  /** Bytes of resident memory. */
  rss: number;
  threads: number;
  /** Open files and sockets. */
  files: number;
}

/** Clock ticks in proc(5) are hundredths of a second on every Linux. */
const MICROSECONDS_PER_TICK = 10_000;

/** Undefined when there is no such process, or no /proc. */
export function usage(pid: number | undefined): Usage | undefined {
  if (pid === undefined) return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name is in brackets and may hold anything; the fields after it begin with the third, the state.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    return {
      cpu: ticks * MICROSECONDS_PER_TICK,
      rss: number('VmRSS') * 1024,
      threads: number('Threads'),
      files: readdirSync(`/proc/${pid}/fd`).length,
    };
  } catch {
    return undefined;
  }
}

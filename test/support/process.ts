import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Process {
  pid: number;
  parent: number;
  command: string[];
}

/** Every process that runs here, from /proc. Zombies are left out: they have ended. */
export function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        // proc(5): the name is in brackets and may hold anything; state and parent follow it.
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').slice(0, -1);
        return state === 'Z' ? [] : [{ pid: Number(name), parent: Number(parent), command }];
      } catch {
        return []; // It ended while we looked.
      }
    });
}

/** Everything that `pid` started, directly or not. */
export function descendants(pid: number): Process[] {
  const all = processes();
  const below = (parent: number): Process[] =>
    all.filter((each) => each.parent === parent).flatMap((each) => [each, ...below(each.pid)]);
  return below(pid);
}

/** UDP sockets that `pid` and what it started have open. */
export function udpSockets(pid: number): number {
  const open = new Set(
    ['udp', 'udp6'].flatMap((table) =>
      // proc(5): the inode is the tenth column, after a line of titles.
      readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => `socket:[${line.trim().split(/\s+/)[9]}]`),
    ),
  );
  return [pid, ...descendants(pid).map((each) => each.pid)]
    .flatMap((each) => readdirSync(`/proc/${each}/fd`).map((name) => linkOf(`/proc/${each}/fd/${name}`)))
    .filter((link) => open.has(link)).length;
}

/** Of `pid` and what it started; bytes. */
export function residentBytes(pid: number): number {
  return [pid, ...descendants(pid).map((each) => each.pid)]
    .map((each) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${each}/status`, 'utf8'))?.[1] ?? 0) * 1024)
    .reduce((sum, bytes) => sum + bytes, 0);
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // It was closed while we looked.
  }
}

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { Failure } from '../../index.ts';

/**
 * The network of the viewers, which is this process's, and one of the server's, joined by a cable (veth(4)). No wire is as
 * patient: nothing is done for a datagram behind the viewers' end of it once media are dropped there.
 */
export interface Cable {
  /** Addresses of its ends. */
  viewers: string;
  server: string;
  /** A process in the server's network. */
  pid: number;
  /** In front of a command: runs it in the server's network. */
  enter: readonly string[];
  /** From now on SRTP is dropped where it arrives; SRTCP, ICE and DTLS still reach the viewers. */
  dropMedia(): void;
  /** What has arrived at the viewers' end so far, dropped or not, datagram by datagram. */
  arrived(): { media: Count; control: Count };
  close(): void;
}

/** Datagrams, and bytes with their IP headers. */
export interface Count {
  packets: number;
  bytes: number;
}

/** RFC 2544: addresses for measurements. They are in networks of our own: nobody else sees them. */
const [VIEWERS, SERVER] = ['198.18.0.1', '198.18.0.2'];
/** Tells the process that runs inside. */
const INSIDE = 'FETCH_WHEP_BENCH_NETWORK';
const ENV = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** SRTP (`media`) and SRTCP (`control`) by the first two bytes of a datagram (RFC 7983 §7, RFC 5761 §4). */
const RULES = `table netdev bench {
  counter media { }
  counter control { }
  chain media { counter name media; }
  chain arriving {
    type filter hook ingress device "viewers" priority 0;
    meta l4proto udp @th,64,2 2 @th,72,8 192-223 counter name control accept
    meta l4proto udp @th,64,2 2 goto media
  }
}`;

/** Whether this process has a network of its own, made by `runApart`. */
export function apart(): boolean {
  return process.env[INSIDE] !== undefined;
}

/** Runs a command in a network of its own, which has a loopback alone, and gives its exit code. Throws `engine-unavailable` without the right to. */
export async function runApart(command: readonly string[]): Promise<number> {
  run('unshare', '--net', 'true');
  const inside = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...command];
  const child = spawn('unshare', ['--net', '--', ...inside], { env: { ...ENV, [INSIDE]: 'own' }, stdio: 'inherit' });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGTERM', forward).on('SIGINT', forward);
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}

/** In a process that runs apart. Throws `engine-unavailable` when something is missing. */
export async function openCable(): Promise<Cable> {
  // Its network lasts as long as it does, and it ends when its standard input does: with this process, however that ends.
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec cat'], {
    env: ENV,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const pid = await network(holder);
  const enter = ['nsenter', `--net=/proc/${pid}/ns/net`, '--'];
  try {
    // Segments are cut before the cable, as for a card that cannot cut them: so every datagram is counted.
    const end = (name: string) => ['name', name, 'gso_max_segs', '1'];
    run('ip', 'link', 'add', ...end('viewers'), 'type', 'veth', 'peer', ...end('server'), 'netns', `${pid}`);
    run('ip', 'addr', 'add', `${VIEWERS}/30`, 'dev', 'viewers');
    run('ip', 'link', 'set', 'viewers', 'up');
    run(...enter, 'ip', 'addr', 'add', `${SERVER}/30`, 'dev', 'server');
    for (const device of ['lo', 'server']) run(...enter, 'ip', 'link', 'set', device, 'up');
    run('nft', RULES);
  } catch (error) {
    holder.stdin?.end();
    throw error;
  }
  return {
    viewers: VIEWERS,
    server: SERVER,
    pid,
    enter,
    dropMedia: () => {
      run('nft', 'add rule netdev bench media drop');
    },
    arrived,
    close: () => {
      run('nft', 'delete table netdev bench');
      run('ip', 'link', 'delete', 'viewers');
      holder.stdin?.end();
    },
  };
}

/** Waits for its first line. */
async function network(holder: ChildProcess): Promise<number> {
  const line = holder.stdout && once(holder.stdout, 'data');
  const ended = once(holder, 'close').then(() => undefined);
  if ((await Promise.race([line, ended])) === undefined || holder.pid === undefined) throw refusal('unshare');
  return holder.pid;
}

function arrived(): { media: Count; control: Count } {
  const { nftables } = JSON.parse(run('nft', '-j', 'list counters netdev')) as {
    nftables: { counter?: Count & { name: string } }[];
  };
  const count = (name: string): Count => {
    const found = nftables.find(({ counter }) => counter?.name === name)?.counter;
    return { packets: found?.packets ?? 0, bytes: found?.bytes ?? 0 };
  };
  return { media: count('media'), control: count('control') };
}

function run(...[program = '', ...args]: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { env: ENV, encoding: 'utf8' });
  if (status !== 0) throw refusal([program, ...args].join(' '), error?.message ?? stderr);
  return stdout;
}

function refusal(command: string, reason = ''): Failure {
  const text = `--sender-only makes networks of its own and cannot here: it needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN) on Linux, with unshare, nsenter, ip and nft (Debian: util-linux, iproute2, nftables)`;
  return new Failure('engine-unavailable', `${text}; ${command}: ${reason.trim() || 'failed'}`);
}

import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { loadAddon } from '../../engine/addon.ts';
import { type Check, ok, reason, warning } from './check.ts';

/** What the addon tells (native/rtc/src/machine.rs). Bytes. */
interface Machine {
  gso: boolean;
  sendmmsg: boolean;
  receiveBuffer: Grant;
  sendBuffer: Grant;
}

interface Grant {
  asked: number;
  given: number;
}

/** UDP as the kernel does it: segmentation offload and buffers. */
export function kernelChecks(): Check[] {
  try {
    const { machine } = loadAddon<{ machine(): Machine }>();
    const { gso, receiveBuffer, sendBuffer } = machine();
    return [offload(gso), bufferCheck(receiveBuffer, sendBuffer)];
  } catch (error) {
    return [warning('UDP GSO, socket buffers', `not known: ${reason(error)}`, 'make the native engine load')];
  }
}

/** Each viewer may hold an HTTP connection open; the rest is for ports, files and the runtime. */
export function fileLimit(viewers: number): Check {
  const name = 'open files';
  const limit = openFiles();
  if (limit === undefined) return ok(name, 'the limit is not known on this system');
  const needed = viewers + 256;
  if (limit >= needed) return ok(name, `at most ${limit === Number.POSITIVE_INFINITY ? 'unlimited' : limit}`);
  const cure = `ulimit -n ${needed}, or LimitNOFILE=${needed} in the systemd unit; or fewer --max-viewers`;
  return warning(name, `at most ${limit}, fewer than ${viewers} viewers may need`, cure);
}

function offload(gso: boolean): Check {
  const name = 'UDP GSO';
  if (gso) return ok(name, 'in use: many packets leave with one system call');
  if (process.env.FETCH_WHEP_NO_GSO === '1') {
    return warning(name, 'switched off by FETCH_WHEP_NO_GSO', 'unset FETCH_WHEP_NO_GSO: sending costs more without');
  }
  return warning(name, 'not there: sending costs more', 'use Linux 4.18 or newer');
}

export function bufferCheck(receive: Grant, send: Grant): Check {
  const name = 'socket buffers';
  const found = `receive ${kibibytes(receive)}, send ${kibibytes(send)}`;
  const settings = [
    ...(receive.given < receive.asked ? [`net.core.rmem_max=${receive.asked}`] : []),
    ...(send.given < send.asked ? [`net.core.wmem_max=${send.asked}`] : []),
  ];
  if (settings.length === 0) return ok(name, found);
  const cure = `sysctl -w ${settings.join(' ')}, and the same in /etc/sysctl.d: bursts are lost where they do not fit`;
  return warning(name, found, cure);
}

function kibibytes({ asked, given }: Grant): string {
  return given < asked ? `${given >> 10} of ${asked >> 10} KiB` : `${given >> 10} KiB`;
}

/** The limit of this process, which a child has inherited; undefined where there is no shell to ask. */
function openFiles(): number | undefined {
  try {
    const text = execFileSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8', timeout: 1000 }).trim();
    return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
  } catch {
    return undefined;
  }
}

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** A network of its own, joined to ours by a pair of virtual cables that lose UDP datagrams both ways. */
export class Namespace {
  readonly #name: string;
  readonly #folder: string;
  /** Our end of the cable. */
  readonly address: string;

  private constructor(name: string, folder: string, address: string) {
    this.#name = name;
    this.#folder = folder;
    this.address = address;
  }

  /** Undefined where it is not allowed. */
  static open(lossPercent: number): Namespace | undefined {
    const name = `whep-${process.pid}`;
    // RFC 2544: addresses for measurements, in use nowhere; the process chooses which four.
    const net = `198.${18 + ((process.pid >> 14) & 1)}.${(process.pid >> 6) & 255}`;
    const [ours, theirs] = [1, 2].map((host) => `${net}.${((process.pid & 63) << 2) + host}`);
    const [outer, inner] = [`wo${process.pid}`, `wi${process.pid}`];
    const drop = `meta l4proto udp numgen random mod 100 < ${lossPercent} drop`;
    const chain = (hook: string, on: string) =>
      `chain ${hook} { type filter hook ${hook} priority 0; ${on} ${inner} ${drop}; };`;
    const rules = `table inet line { ${chain('input', 'iifname')} ${chain('output', 'oifname')} }`;
    const inside = ['netns', 'exec', name];
    const made =
      ip('netns', 'add', name) &&
      ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', name) &&
      ip('addr', 'add', `${ours}/30`, 'dev', outer) &&
      ip('link', 'set', outer, 'up') &&
      ip(...inside, 'ip', 'addr', 'add', `${theirs}/30`, 'dev', inner) &&
      ip(...inside, 'ip', 'link', 'set', inner, 'up') &&
      ip(...inside, 'ip', 'link', 'set', 'lo', 'up') &&
      ip(...inside, 'ip', 'route', 'add', 'default', 'via', `${ours}`) &&
      ip(...inside, 'nft', rules);
    if (made) return new Namespace(name, mkdtempSync(join(tmpdir(), 'whep-')), `${ours}`);
    ip('netns', 'delete', name);
    return undefined;
  }

  /** The path of a program that runs another one inside. */
  program(path: string): string {
    const script = join(this.#folder, 'inside');
    writeFileSync(script, `#!/bin/sh\nPATH="$PATH:/usr/sbin:/sbin"\nexec ip netns exec ${this.#name} ${path} "$@"\n`);
    chmodSync(script, 0o755);
    return script;
  }

  /** The cables go with it. Whatever runs inside has to have ended. */
  close(): void {
    ip('netns', 'delete', this.#name);
    rmSync(this.#folder, { recursive: true });
  }
}

function ip(...args: string[]): boolean {
  return spawnSync('ip', args, { env: { ...process.env, PATH }, stdio: 'ignore' }).status === 0;
}

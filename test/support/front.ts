import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { eventually } from './eventually.ts';
import { freePort, listens } from './ports.ts';

/** nobody and nogroup: neither proxy needs rights. */
const NOBODY = 65534;

/** A reverse proxy on loopback, in a process and folder of its own. */
export class Front {
  readonly port: number;
  /** 0 where it does not speak TLS. */
  readonly tlsPort: number;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #output = '';

  private constructor(program: string, args: readonly string[], folder: string, port: number, tlsPort = 0) {
    this.port = port;
    this.tlsPort = tlsPort;
    this.#folder = folder;
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(folder, NOBODY, NOBODY);
    this.#child = spawn(program, args, {
      cwd: folder,
      // Tools of the system administrator are not on everyone's PATH.
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(isRoot && { uid: NOBODY, gid: NOBODY }),
    });
    for (const pipe of [this.#child.stdout, this.#child.stderr]) {
      pipe?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
  }

  /** nginx with `locations` in its one server, which is reached by http and https alike. */
  static async nginx(locations: string): Promise<Front> {
    const [port, tlsPort] = [await freePort(), await freePort()];
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`);
    const folder = folderWith(
      'nginx.conf',
      `daemon off;
      master_process off;
      pid nginx.pid;
      events { worker_connections 64; }
      http {
        access_log off;
        ${temporary.join(' ')}
        server {
          listen 127.0.0.1:${port};
          listen 127.0.0.1:${tlsPort} ssl;
          ssl_certificate cert.pem;
          ssl_certificate_key key.pem;
          ${locations}
        }
      }`,
    );
    for (const name of ['cert.pem', 'key.pem']) copyFileSync(`test/support/tls/${name}`, join(folder, name));
    const args = ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'];
    return ready(new Front('nginx', args, folder, port, tlsPort));
  }

  /** HAProxy with `rules` in its one frontend, which passes everything on to `upstream`. */
  static async haproxy(upstream: string, rules: string): Promise<Front> {
    const port = await freePort();
    const folder = folderWith(
      'haproxy.cfg',
      `global
        maxconn 64
      defaults
        mode http
        timeout connect 10s
        timeout client 60s
        timeout server 60s
      frontend front
        bind 127.0.0.1:${port}
        ${rules}
        default_backend back
      backend back
        server upstream ${new URL(upstream).host}`,
    );
    return ready(new Front('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], folder, port));
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Throws with what it said when it has ended. */
  async listens(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`the proxy ended: ${this.#output}`);
    return listens(this.port);
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.pid !== undefined) {
      process.kill(this.#child.pid, 'SIGKILL');
      await once(this.#child, 'close');
    }
    rmSync(this.#folder, { recursive: true });
  }
}

function folderWith(name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'whep-front-'));
  writeFileSync(join(folder, name), `${text}\n`);
  return folder;
}

async function ready(front: Front): Promise<Front> {
  try {
    await eventually('a proxy that listens', () => front.listens());
    return front;
  } catch (error) {
    await front.close();
    throw error;
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { eventually } from './eventually.ts';
import { freePort, listens } from './ports.ts';

const CERTIFICATE = 'test/support/tls/cert.pem';
const USER = { username: 'viewer', credential: 'of-the-relay' };

/** How a client gets to a relay. */
export type Leg = 'udp' | 'tcp' | 'tls';

/** By this flag Chromium trusts the relay's certificate, also where no page asks for it. */
export function trustTheRelay(): string {
  const key = new X509Certificate(readFileSync(CERTIFICATE)).publicKey.export({ type: 'spki', format: 'der' });
  return `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`;
}

/** A coturn on loopback (RFC 8656). */
export class TurnServer {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #port: number;
  readonly #tlsPort: number;
  #output = '';

  private constructor(child: ChildProcess, folder: string, port: number, tlsPort: number) {
    this.#child = child;
    this.#folder = folder;
    this.#port = port;
    this.#tlsPort = tlsPort;
    for (const pipe of [child.stdout, child.stderr]) {
      pipe?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
  }

  static async start(): Promise<TurnServer> {
    const folder = mkdtempSync(join(tmpdir(), 'whep-turn-'));
    const [port, tlsPort] = [await freePort(), await freePort()];
    const { username, credential } = USER;
    const child = spawn('turnserver', [
      '-n',
      ...['--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', '--allow-loopback-peers', '--no-cli', '--no-dtls'],
      ...[`--listening-port=${port}`, `--tls-listening-port=${tlsPort}`, '--lt-cred-mech', '--realm=test'],
      ...[`--user=${username}:${credential}`, `--cert=${CERTIFICATE}`, '--pkey=test/support/tls/key.pem'],
      ...['--log-file=stdout', `--pidfile=${join(folder, 'pid')}`, `--userdb=${join(folder, 'users')}`],
    ]);
    const server = new TurnServer(child, folder, port, tlsPort);
    try {
      await eventually('a relay that listens', async () => {
        if (child.exitCode !== null) throw new Error(`turnserver ended: ${server.#output}`);
        return (await listens(port)) && (await listens(tlsPort));
      });
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  iceServer(leg: Leg): RTCIceServer {
    const urls = leg === 'tls' ? `turns:localhost:${this.#tlsPort}` : `turn:127.0.0.1:${this.#port}?transport=${leg}`;
    return { urls, ...USER };
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.pid !== undefined) {
      process.kill(this.#child.pid, 'SIGKILL');
      await once(this.#child, 'close');
    }
    rmSync(this.#folder, { recursive: true });
  }
}

import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../support/child.ts';
import { commandOf, currentRuntime } from '../support/runtimes.ts';

const test = suite('fetch-whep bench fanout --sender-only');

const ARGS = ['bench', 'fanout', '--sender-only', '--viewers', '5', '--secs', '2', '--json'];

interface Row {
  connected: number;
  failures: number;
  lossRatio: number;
  packetsPerSecond: { delivered: number };
  packetsPerSecondAndCore: number;
  datagrams: { sent: number; arrived: number };
  bytesPerPacket: number;
  floorBytesPerPacket: number;
  floorMicrosPerPacket: { gso: number; sendto: number };
  cpuRatio: { gso: number; sendto: number };
  latency?: object;
}

/** IP, UDP and RTP headers and the tag of AES-GCM (RFC 7714 §14.1). */
const AROUND = 20 + 8 + 12 + 16;
const SOUND = 160;
const allowed = spawnSync('unshare', ['--net', 'true']).status === 0;

/** Where networks can be made; elsewhere the command says that they cannot. */
async function measured(...args: string[]): Promise<Row | undefined> {
  const child = new Child(currentRuntime(), 'dist/cli.js', [...ARGS, ...args]);
  const { code } = await child.ending(120_000);
  if (!allowed) {
    assert.equal([code, child.stdout], [1, '']);
    assert.match(child.stderr, /CAP_SYS_ADMIN/);
    return undefined;
  }
  assert.is(code, 0, child.stderr);
  const row = JSON.parse(child.stdout) as Row;
  assert.equal([row.connected, row.failures, row.lossRatio], [5, 0, 0]);
  return row;
}

test('what the server says that it has sent has come out of the cable, and no media beyond', async () => {
  const row = await measured();
  if (row === undefined) return;
  assert.is(row.datagrams.arrived, row.datagrams.sent);
  assert.ok(row.datagrams.sent > row.packetsPerSecond.delivered, 'as many as in one second at least');
  assert.is(row.latency, undefined, 'no viewer got a packet to read its time');
  const { packetsPerSecondAndCore, floorMicrosPerPacket, cpuRatio } = row;
  assert.ok(packetsPerSecondAndCore > 0 && floorMicrosPerPacket.gso > 0 && cpuRatio.gso > 0, JSON.stringify(row));
});

test('server and floor send the same packets, of the one leg that is asked for', async () => {
  const sound = await measured('--audio-only');
  if (sound === undefined) return;
  assert.equal([sound.bytesPerPacket, sound.floorBytesPerPacket], [SOUND + AROUND, SOUND + AROUND]);
  const pictures = await measured('--video-only', '--packets', '2');
  const sizes = [pictures?.bytesPerPacket ?? 0, pictures?.floorBytesPerPacket ?? 0];
  // A parameter set counts as a packet, and there is one for each 120 of pictures.
  assert.ok(Math.abs((sizes[0] ?? 0) / (sizes[1] ?? 0) - 1) < 0.02, `${sizes}`);
  assert.ok(
    sizes.every((size) => size > 1_000 && size < 1_200),
    `${sizes}`,
  );
});

test('without the right to make networks it says what it needs', () => {
  const command = [...commandOf(currentRuntime()), 'dist/cli.js', ...ARGS];
  // Who may make none can drop nothing either.
  const without = allowed ? ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin'] : [];
  const [program = '', ...args] = [...without, ...command];
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 30_000 });
  assert.equal([status, stdout], [1, '']);
  for (const need of ['CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'nftables']) assert.ok(stderr.includes(need), stderr);
  assert.is(stderr.trim().split('\n').length, 1, stderr);
});

test('without its programs it says which they are', async () => {
  const child = new Child(currentRuntime(), 'dist/cli.js', ARGS, { PATH: '/nonexistent' });
  assert.is((await child.ending()).code, 1);
  for (const need of ['unshare', 'nsenter', 'ip', 'nft']) assert.ok(child.stderr.includes(need), child.stderr);
});

test.run();

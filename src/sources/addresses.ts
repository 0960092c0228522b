import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { Failure } from '../errors.ts';

/** Of the addresses that are given out to the Internet, those that lead elsewhere (RFC 6890). */
const special = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8], // this host, as a destination
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carriers' NAT
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // this link; metadata of clouds
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15], // benchmarks
  ['224.0.0.0', 3], // multicast, reserved, broadcast
] as const) {
  special.addSubnet(net, prefix, 'ipv4');
}
for (const [net, prefix] of [
  ['2001::', 23], // Teredo and other protocols, which embed addresses
  ['2002::', 16], // 6to4, likewise
  ['3fff::', 20],
] as const) {
  special.addSubnet(net, prefix, 'ipv6');
}

/** RFC 4291 §2.5.4: all of the others are special, IPv4-mapped and NAT64 among them. */
const global = new BlockList();
global.addSubnet('2000::', 3, 'ipv6');

const groups = new BlockList();
groups.addSubnet('224.0.0.0', 4, 'ipv4');
groups.addSubnet('ff00::', 8, 'ipv6');

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((each = []) => each.map(({ address }) => address));
}

/** An address that a socket of ours can be bound to, or a group that it can join. */
export function isBindable(address: string): boolean {
  if (isIP(address) === 0) return false;
  return isMulticast(address) || /^127\.|^::1$/.test(address) || ownAddresses().includes(address);
}

/** RFC 5771 §3, RFC 4291 §2.7. */
function isMulticast(address: string): boolean {
  return isIP(address) === 4 ? groups.check(address, 'ipv4') : groups.check(address, 'ipv6');
}

/** An address that the whole Internet reaches, and not this machine by it. */
export function isPublic(address: string, own: readonly string[] = ownAddresses()): boolean {
  if (own.includes(address)) return false;
  return isIP(address) === 4
    ? !special.check(address, 'ipv4')
    : global.check(address, 'ipv6') && !special.check(address, 'ipv6');
}

/** Where a host leads, as it stands in a URL, by whatever spelling or name. Rejects when it has no address. */
async function addressesOf(host: string): Promise<string[]> {
  // URL reads IPv4 addresses in hexadecimal, octal and decimal, in one to four parts, as the C library does.
  const { hostname } = new URL(`http://${host}`);
  const name = hostname.replace(/^\[|\]$/g, '');
  if (isIP(name) !== 0) return [name];
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

/** Whether a host leads to this machine or a private network. Rejects when it has no address. */
export async function leadsInside(host: string): Promise<boolean> {
  return (await addressesOutside(host)).length === 0;
}

/** The addresses of a host; none when one of them leads inside. Rejects when it has no address. */
export async function addressesOutside(host: string): Promise<string[]> {
  const found = await addressesOf(host);
  return found.every((each) => isPublic(each)) ? found : [];
}

/** Rejects with `invalid-options` unless the host leads outside and nowhere else; `name` is what its user is told. */
export async function requireOutside(host: string, name: string): Promise<void> {
  const inside = await leadsInside(host).catch(() => undefined);
  if (inside === false) return;
  const what = inside ? 'leads to this machine or a private network: add "private" to adminSources' : 'has no address';
  throw new Failure('invalid-options', `${name} ${what}`);
}

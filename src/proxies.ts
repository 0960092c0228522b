import { BlockList, isIP, isIPv6 } from 'node:net';
import { Failure } from './errors.ts';

/** What a proxy has to be called by. */
export const NETWORK = 'give an address or a network such as 10.0.0.0/8';

/** What one proxy says of a request: where it came from and by which scheme. */
interface Hop {
  readonly address: string;
  readonly scheme: string;
}

/** The proxies that are believed when they tell whom they speak for. */
export class TrustedProxies {
  readonly #list = new BlockList();

  /** Addresses, and networks such as `10.0.0.0/8`. Throws `invalid-options`. */
  constructor(networks: readonly string[]) {
    for (const network of networks) this.#add(network);
  }

  /**
   * Gives a request from a trusted proxy the address (`ip`) and the scheme (in its `url`) of the client, by
   * `X-Forwarded-For` and `-Proto` or by `Forwarded` (RFC 7239), and marks it as `proxied`. Where both are there and name
   * different clients, one of them is the client's own invention: then the proxy itself counts as the client.
   */
  resolve(request: Request): Request {
    const peer = 'ip' in request && typeof request.ip === 'string' ? request.ip : '';
    if (!this.#trusts(peer)) return request;
    const said = [xForwarded(request.headers), forwarded(request.headers)].filter((hops) => hops.length > 0);
    const found = said.map((hops) => this.#clientOf(peer, hops));
    const [client] = found;
    const agreed = client !== undefined && found.every(({ address }) => address === client.address);
    define(request, 'proxied', true);
    if (!agreed) return request;
    define(request, 'ip', client.address);
    if (client.scheme === 'https') define(request, 'url', request.url.replace(/^http:/, 'https:'));
    return request;
  }

  /** The last one that is no proxy of ours. What stands before it is what that client wrote itself. */
  #clientOf(peer: string, hops: readonly Hop[]): Hop {
    let client: Hop = { address: peer, scheme: '' };
    for (const hop of hops.toReversed()) {
      if (isIP(hop.address) === 0) return client;
      client = hop;
      if (!this.#trusts(hop.address)) return client;
    }
    return client;
  }

  #trusts(address: string): boolean {
    return isIP(address) !== 0 && this.#list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  #add(text: string): void {
    const network = networkOf(text);
    if (network === undefined) {
      throw new Failure('invalid-options', `trustedProxies: ${JSON.stringify(text)}: ${NETWORK}`);
    }
    this.#list.addSubnet(...network);
  }
}

/** Whether that is an address, or a network as CIDR writes it. */
export function isNetwork(text: string): boolean {
  return networkOf(text) !== undefined;
}

function networkOf(text: string): [address: string, prefix: number, family: 'ipv4' | 'ipv6'] | undefined {
  const [address = '', bits, ...more] = text.split('/');
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  const most = family === 'ipv6' ? 128 : 32;
  const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  // The list forgets zones (RFC 4007 §11), or throws at them.
  if (isIP(address) === 0 || address.includes('%') || more.length > 0) return undefined;
  if (prefix < 0 || prefix > most) return undefined;
  return [address, prefix, family];
}

/** Oldest first. One scheme may stand for all hops: many proxies set it anew rather than add theirs. */
function xForwarded(headers: Headers): Hop[] {
  const addresses = list(headers.get('x-forwarded-for'));
  const schemes = list(headers.get('x-forwarded-proto'));
  const offset = schemes.length - addresses.length;
  return addresses.map((address, index) => ({
    address: bare(address),
    scheme: (schemes.length === 1 ? schemes[0] : schemes[index + offset])?.toLowerCase() ?? '',
  }));
}

/** RFC 7239 §4. Where quotes are left open, what a proxy wrote is no longer told from what its client did. */
function forwarded(headers: Headers): Hop[] {
  const text = headers.get('forwarded') ?? '';
  if (!/^(?:[^"]|"(?:\\.|[^"\\])*")*$/.test(text)) return [{ address: '', scheme: '' }];
  const elements = text.match(/(?:[^,"]|"(?:\\.|[^"\\])*")+/g) ?? [];
  return elements.map((element) => {
    const pairs = [...element.matchAll(/(\w+)=(?:"((?:\\.|[^"\\])*)"|([^;\s"]*))/g)].map(
      ([, name = '', quoted, plain]) => [name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? ''] as const,
    );
    const { for: address = '', proto = '' } = Object.fromEntries(pairs);
    return { address: bare(address), scheme: proto.toLowerCase() };
  });
}

function list(header: string | null): string[] {
  return header === null ? [] : header.split(',').map((entry) => entry.trim());
}

/** Without brackets and port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function bare(address: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1] ?? address;
}

/** Frameworks hand a request on as it is: what is set on it they see as well. */
function define(request: Request, name: string, value: unknown): void {
  Object.defineProperty(request, name, { value, enumerable: true, configurable: true });
}

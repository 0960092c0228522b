import { isIPv4, isIPv6 } from 'node:net';

/** An ICE candidate (RFC 8839 §5.1), with the names that sdp-transform gives the fields. */
export interface Candidate {
  foundation: string;
  component: number;
  transport: string;
  /** 1 to 2^31-1. */
  priority: number;
  ip: string;
  port: number;
  type: string;
  raddr?: string;
  rport?: number;
}

const FORM =
  /^([A-Za-z0-9+/]{1,32}) (\d{1,3}) (\S+) (\d{1,10}) (\S+) (\d{1,5}) typ (\S+)(?: raddr (\S+) rport (\d{1,5}))?(?: .*)?$/;

/** Reads what follows `a=candidate:`; undefined when it is malformed. */
export function readCandidate(value: string): Candidate | undefined {
  const [, foundation, component, transport, priority, ip, port, type, raddr, rport] = FORM.exec(value) ?? [];
  if (foundation === undefined || transport === undefined || ip === undefined || type === undefined) return undefined;
  const candidate: Candidate = {
    foundation,
    component: Number(component),
    transport,
    priority: Number(priority),
    ip,
    port: Number(port),
    type,
    ...(raddr !== undefined && isIP(raddr) && { raddr, rport: Number(rport) }),
  };
  const inRange =
    between(candidate.component, 1, 256) &&
    between(candidate.priority, 1, 2 ** 31 - 1) &&
    between(candidate.port, 0, 65535) &&
    between(candidate.rport ?? 0, 0, 65535);
  return inRange ? candidate : undefined;
}

/**
 * Whether the engine can send to it: RTP over UDP to an address it need not resolve. Everything else, such as TCP, a
 * `.local` name or an address nobody has, is left out in silence (RFC 8839 §5.1, draft-ietf-wish-whep §4.5.2).
 */
export function isUsable({ component, transport, ip, port, type }: Candidate): boolean {
  return (
    component === 1 &&
    transport.toLowerCase() === 'udp' &&
    port > 0 &&
    isIP(ip) &&
    !isUnspecifiedOrMulticast(ip) &&
    ['host', 'srflx', 'prflx', 'relay'].includes(type)
  );
}

/** An address without a zone and without an IPv4 address inside. */
function isIP(address: string): boolean {
  return isIPv4(address) || (isIPv6(address) && !/[%.]/.test(address));
}

function isUnspecifiedOrMulticast(ip: string): boolean {
  return isIPv4(ip) ? /^(0|22[4-9]|2[34]\d|25\d)\./.test(ip) : /^([0:]+$|ff)/i.test(ip);
}

function between(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}

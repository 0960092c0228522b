import { createHmac } from 'node:crypto';
import * as z from 'zod';
import { type IceServer, iceServer, type Settings } from '../options.ts';
import { randomId } from '../random.ts';
import { ask } from './hooks.ts';

const servers = z.array(iceServer);

/**
 * One link-value for each ICE server of this request (draft-ietf-wish-whep-04 §4.8, RFC 8288); without `credentials` only
 * for those that need none.
 */
export async function iceLinks(request: Request, settings: Settings, credentials: boolean): Promise<string[]> {
  const { iceServers, turn } = settings;
  const listed =
    typeof iceServers === 'function' ? servers.parse(await ask('iceServers', () => iceServers(request))) : iceServers;
  const all: readonly IceServer[] = turn === undefined ? listed : [...listed, temporary(turn)];
  const given = all.filter(({ credential }) => credentials || credential === undefined);
  return given.flatMap((server) => [server.urls].flat().map((uri) => link(uri, server)));
}

/**
 * Credentials that a TURN server with the same secret accepts for a while (the TURN REST scheme). The user part differs each
 * time, so that the TURN server can tell its users apart and bound what one of them takes.
 */
function temporary({ urls, secret, ttlSeconds }: NonNullable<Settings['turn']>): IceServer {
  const username = `${Math.floor(Date.now() / 1000) + ttlSeconds}:${randomId()}`;
  return { urls, username, credential: createHmac('sha1', secret).update(username).digest('base64') };
}

/** In this order and with the type, as readers exist that match the whole text. */
function link(uri: string, { username, credential }: IceServer): string {
  const parameters = ['rel="ice-server"'];
  if (username !== undefined && credential !== undefined) {
    parameters.push(`username=${quoted(username)}`, `credential=${quoted(credential)}`, 'credential-type="password"');
  }
  return `<${uri}>; ${parameters.join('; ')}`;
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

import { X509Certificate } from 'node:crypto';
import process from 'node:process';
import { createServer, Failure, type Server, type ServerOptions } from '../../index.ts';
import { serve } from '../../serve.ts';
import type { Configuration } from '../configuration.ts';
import { TOKENS } from '../tokens.ts';
import { candidateCheck } from './candidates.ts';
import { type Check, ok, problem, reason, warning } from './check.ts';
import { roundTrip, STREAM } from './trip.ts';

/** A certificate that ends within this time should have been renewed. Milliseconds. */
const RENEWAL = 14 * 24 * 3600 * 1000;

/** The engine, every port that the configuration asks for, and a viewer that gets media. */
export async function networkChecks(configuration: Configuration): Promise<Check[]> {
  const http = [await listeningCheck(configuration), ...certificateCheck(configuration)];
  const { server, checks } = await openServer(configuration);
  if (server === undefined) return [...checks, ...http];
  try {
    const streams = await streamChecks(server, configuration);
    const { check, answer } = await roundTrip(server, configuration.settings.mediaHost);
    const candidates = answer === '' ? [] : [candidateCheck(answer, configuration)];
    return [...checks, ...http, ...streams, ...candidates, check];
  } finally {
    await server.close();
  }
}

async function listeningCheck({ host, port, tls }: Configuration): Promise<Check> {
  const name = tls === undefined ? 'HTTP' : 'HTTPS';
  try {
    const listener = await serve({ fetch: async () => new Response() }, { host, port, tls });
    await listener.close();
    return ok(name, `can listen on ${port === 0 ? `${host}, any port` : listener.url}`);
  } catch (error) {
    const busy = error instanceof Failure && error.code === 'address-in-use';
    return problem(name, reason(error), busy ? '--port N' : '--host ADDR, --tls-cert FILE, --tls-key FILE');
  }
}

/** Browsers take no certificate that has ended. */
function certificateCheck({ tls }: Configuration): Check[] {
  if (tls === undefined) return [];
  const name = 'certificate';
  const end = new Date(new X509Certificate(tls.cert).validTo);
  const found = `${tls.paths.cert} is valid until ${end.toISOString().slice(0, 10)}`;
  const left = end.getTime() - Date.now();
  if (left < 0) return [problem(name, found, 'renew it: browsers refuse it')];
  if (left < RENEWAL) return [warning(name, found, 'renew it: a server that runs takes the new one')];
  return [ok(name, found)];
}

/** Anybody may watch at `/`, by whatever name. */
const OPEN: ServerOptions = {
  basePath: undefined,
  basePathStripped: undefined,
  ...Object.fromEntries(TOKENS.map(({ option }) => [option, undefined])),
  authorize: undefined,
  open: ['watch'],
  rateLimit: undefined,
};

/** A server as configured, but for its streams and who may watch. With busy media ports, on others. */
async function openServer({ settings, server: options }: Configuration): Promise<{ server?: Server; checks: Check[] }> {
  const terms: ServerOptions = { ...options, ...OPEN, streams: { [STREAM]: 'clip' } };
  const media = settings.mediaPort === 0 ? 'any UDP ports' : `UDP ports from ${settings.mediaPort}`;
  const where = `${media} on ${settings.mediaHost ?? 'every interface'}`;
  try {
    const server = await createServer(terms);
    return { server, checks: [engineCheck(server), ok('media', where)] };
  } catch (error) {
    const code = error instanceof Failure ? error.code : undefined;
    if (code === 'engine-unavailable') return { checks: [problem('engine', reason(error), 'see docs/guide.md')] };
    if (code !== 'address-in-use') return { checks: [problem('media', reason(error), '--media-host ADDR')] };
    const busy = problem('media', reason(error), '--media-port N');
    const server = await createServer({ ...terms, mediaPort: 0 });
    return { server, checks: [engineCheck(server), busy] };
  }
}

function engineCheck(server: Server): Check {
  const { engine, runtime } = server.snapshot();
  const found = `${engine}, on ${runtime}, ${process.platform} ${process.arch}`;
  if (engine === 'native') return ok('engine', found);
  return warning('engine', `${found}: for few viewers`, '--engine native says why the native one is not used');
}

/** Ports on which RTP is to arrive; whatever else feeds a stream is left alone. */
async function streamChecks(server: Server, { settings, server: { streams = {} } }: Configuration): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [id, source] of Object.entries(streams)) {
    const spec = settings.streams[id];
    if (spec === undefined || !('rtp' in spec)) continue;
    const name = `stream ${id}`;
    // The trip's own stream may be called the same.
    const trial = `${id.slice(0, 100)}.trial`;
    try {
      const { ports } = await server.streams.add(trial, source);
      await server.streams.remove(trial);
      checks.push(
        ok(
          name,
          `RTP on ${Object.entries(ports)
            .map(([leg, port]) => `UDP ${port} (${leg})`)
            .join(', ')}`,
        ),
      );
    } catch (error) {
      checks.push(problem(name, reason(error), `another port in --stream ${id}=rtp:VIDEO,AUDIO, or end what has it`));
    }
  }
  return checks;
}

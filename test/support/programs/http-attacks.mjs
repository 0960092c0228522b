// Attacks on the HTTP side, from an address of their own.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';

/** Another client than the honest ones, where clients are told apart by address. */
const LOCAL_ADDRESS = '127.0.0.2';
const OFFER = readFileSync('test/support/offers/chromium-watch.sdp', 'utf8').replace(/\r?\n/g, '\r\n');

const joining = { connections: 32 };
const slow = { connections: 2_000, interval: 50 };
/** A session may have 4 event streams. */
const listening = { readers: 10_000, streams: 4 };

const attacks = {
  joins: (exchanges, config) => repeat(joining.connections, config, () => join(exchanges, config.url)),
  'joins-and-deletes': (exchanges, config) =>
    repeat(joining.connections, config, async () => {
      const session = await join(exchanges, config.url);
      if (session !== undefined) await exchanges.send('DELETE', session);
    }),
  'slow-requests': slowRequests,
  listeners,
};

export const HTTP_ATTACKS = Object.keys(attacks);

/** Gives what was done: requests or bytes as `sent`, and the sessions made. */
export async function attackByHttp(config) {
  const exchanges = new Exchanges(config);
  await attacks[config.name](exchanges, config);
  return { sent: exchanges.sent, sessions: exchanges.sessions, ended: 0 };
}

/** Counts, and ends with the time. */
class Exchanges {
  sent = 0;
  sessions = 0;
  #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  #most;
  #deadline;

  constructor({ milliseconds, most }) {
    this.#deadline = performance.now() + milliseconds;
    this.#most = most;
  }

  get left() {
    return Math.max(0, this.#deadline - performance.now());
  }

  get over() {
    return this.left === 0 || this.sent >= this.#most;
  }

  /** The status, 0 when there was no answer, and the `Location`, absolute. */
  send(method, url, type, body) {
    this.sent++;
    const headers = type === undefined ? {} : { 'Content-Type': type, 'Content-Length': body.length };
    return new Promise((resolve) => {
      const sending = request(url, { method, agent: this.#agent, localAddress: LOCAL_ADDRESS, headers }, (response) => {
        const { location } = response.headers;
        response.resume();
        response.on('error', () => resolve({ status: 0 }));
        response.on('end', () =>
          resolve({ status: response.statusCode, location: location && new URL(location, url).href }),
        );
      });
      sending.on('error', () => resolve({ status: 0 }));
      sending.end(body);
    });
  }
}

/** Does it on that many connections at once, until the time is over. */
async function repeat(connections, config, once) {
  const end = performance.now() + config.milliseconds;
  const worker = async () => {
    while (performance.now() < end) await once();
  };
  await Promise.all(Array.from({ length: connections }, worker));
}

/** The session's URL; undefined when it was refused. */
async function join(exchanges, url) {
  const { status, location } = await exchanges.send('POST', url, 'application/sdp', OFFER);
  if (status !== 201) return undefined;
  exchanges.sessions++;
  return location;
}

/** Heads and bodies that come byte by byte, on many connections. */
async function slowRequests(exchanges, { url }) {
  const { hostname, port, pathname } = new URL(url);
  const open = new Set();
  const renew = (number) => {
    if (exchanges.over) return;
    const socket = connect({ host: hostname, port, localAddress: LOCAL_ADDRESS });
    const head = `POST ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/sdp\r\n`;
    const length = `Content-Length: ${OFFER.length}\r\n\r\n`;
    const rest = number % 2 === 0 ? `${head}${length}${OFFER}` : OFFER;
    socket.on('error', () => {});
    socket.on('connect', () => {
      if (number % 2 === 1) socket.write(`${head}${length}`);
      open.add(connection);
    });
    socket.on('close', () => {
      open.delete(connection);
      setTimeout(renew, slow.interval, number);
    });
    socket.resume();
    const connection = { socket, rest, next: 0 };
  };
  for (let number = 0; number < slow.connections; number++) renew(number);
  while (!exchanges.over) {
    await pause(slow.interval);
    for (const connection of open) {
      connection.socket.write(connection.rest[connection.next++ % connection.rest.length]);
      exchanges.sent++;
    }
  }
}

/** Many event streams that are read: as many of its own as the server grants, then the same once more. */
async function listeners(exchanges, { url, milliseconds }) {
  const streams = [];
  const makers = performance.now() + milliseconds / 3;
  const subscribe = async (session) => {
    const { status, location } = await exchanges.send(
      'POST',
      `${session}/events`,
      'application/json',
      '["viewercount"]',
    );
    if (status === 201) streams.push(location);
  };
  const make = async () => {
    while (streams.length < listening.readers && performance.now() < makers) {
      const session = await join(exchanges, url);
      if (session === undefined) continue;
      await Promise.all(Array.from({ length: listening.streams }, () => subscribe(session)));
    }
  };
  // What the rate limit lets through is not all to be spent on sessions: one has its stream before the others are asked for.
  let first;
  while (first === undefined && !exchanges.over) first = await join(exchanges, url);
  while (streams.length === 0 && !exchanges.over) await subscribe(first);
  await Promise.all(Array.from({ length: joining.connections }, make));
  if (streams.length === 0) throw new Error('no session was let in, so there is nothing to listen to');
  for (let reader = 0; reader < listening.readers && !exchanges.over; reader++) {
    read(streams[reader % streams.length]);
    exchanges.sent++;
    // The loop takes breath, so that connections are made while others are asked for.
    if (reader % 100 === 0) await pause(1);
  }
  await pause(exchanges.left);
}

function read(stream) {
  const { hostname, port, pathname } = new URL(stream);
  const socket = connect({ host: hostname, port, localAddress: LOCAL_ADDRESS });
  socket.on('error', () => {});
  socket.resume();
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\n\r\n`);
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

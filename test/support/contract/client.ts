import * as assert from 'uvu/assert';
import { stats } from '../../../src/http/schemas.ts';
import { createServer } from '../../../src/index.ts';
import { checkAnswer } from '../answer-rules.ts';
import { factsOf } from '../facts.ts';
import { FakeEngine } from '../fake-engine.ts';
import { offerOf } from '../offers.ts';
import { type Description, isDescribed, readDescription } from './described.ts';

/** A server under test. */
export interface Booted {
  fetch(request: Request): Promise<Response>;
  /** Where requests go; any origin will do for a handler that is called directly. */
  origin?: string;
  /** Path before all of the server's own, where it is mounted below one. */
  prefix?: string;
  /** Present when the server runs on it. */
  engine?: FakeEngine;
  close(): Promise<void>;
}

/** A response that has been read to its end. */
export interface Reply {
  status: number;
  headers: Headers;
  text: string;
}

/** A body that is a stream needs to say so. */
export type Init = RequestInit & { duplex?: 'half' };

export const SDP = { 'Content-Type': 'application/sdp' };
export const FRAGMENT = { 'Content-Type': 'application/trickle-ice-sdpfrag' };
export const WATCH = offerOf('chromium-watch');
export const PUBLISH = offerOf('chromium-publish');

/** The header of every answer to a page, as the contract words them. */
const CORS = {
  'access-control-allow-methods': 'POST, DELETE, PATCH, OPTIONS, GET, HEAD',
  'access-control-allow-headers': 'Content-Type, Authorization, If-Match, If-None-Match',
  'access-control-expose-headers': 'Location, ETag, Link, Retry-After, Accept-Post, Accept-Patch',
};

let description: Promise<Description> | undefined;

/** What the OpenAPI document says of every route. */
function described(): Promise<Description> {
  description ??= createServer({ engine: new FakeEngine(), observeToken: 'observe', adminToken: 'admin' }).then(
    async (server) => {
      const headers = { Authorization: 'Bearer observe' };
      const response = await server.fetch(new Request('http://contract.test/openapi.json', { headers }));
      await server.close();
      return readDescription(await response.text());
    },
  );
  return description;
}

/** Sends requests, and holds every response to what the contract says of all of them. */
export class Client {
  readonly #booted: Booted;
  readonly #sessions: string[] = [];

  constructor(booted: Booted) {
    this.#booted = booted;
  }

  get engine(): FakeEngine {
    if (this.#booted.engine === undefined) throw new Error('this row needs the scripted engine');
    return this.#booted.engine;
  }

  request(method: string, path: string, init: Init = {}): Request {
    return new Request(`${this.#booted.origin ?? 'http://contract.test'}${path}`, {
      redirect: 'manual',
      ...init,
      method,
    });
  }

  /** The response, its body unread. */
  async open(method: string, path: string, init?: Init): Promise<Response> {
    return this.#booted.fetch(this.request(method, path, init));
  }

  async send(method: string, path: string, init?: Init): Promise<Reply> {
    const response = await this.open(method, path, init);
    const reply = { status: response.status, headers: response.headers, text: await response.text() };
    const what = `${method} ${path}: ${reply.status} ${reply.text.slice(0, 200)}`;
    assert.match(reply.headers.get('x-request-id') ?? '', /^[\w-]{22}$/, what);
    assert.is(reply.headers.get('x-content-type-options'), 'nosniff', what);
    if (/^\/wh[ei]p(\/|$)/.test(this.#own(path))) {
      for (const [name, value] of Object.entries(CORS)) assert.is(reply.headers.get(name), value, `${what}: ${name}`);
      const origins = reply.headers.get('access-control-allow-origin');
      assert.ok(origins === '*' || reply.headers.get('vary') === 'Origin', `${what}: for ${origins}`);
    }
    assert.ok(isDescribed(await described(), method, this.#own(path), reply.status), `${what}: not described`);
    if (reply.status === 201 && reply.headers.get('content-type') === 'application/sdp') {
      await this.#joined(path, init, reply);
    }
    return reply;
  }

  /** POSTs an offer and expects a session. */
  async watch(path = '/whep/live', init: Init = {}): Promise<{ location: string; tag: string; reply: Reply }> {
    const reply = await this.send('POST', path, { body: WATCH, ...init, headers: { ...SDP, ...init.headers } });
    assert.is(reply.status, 201, reply.text);
    return { location: reply.headers.get('location') ?? '', tag: reply.headers.get('etag') ?? '', reply };
  }

  async stats() {
    return stats.parse(JSON.parse((await this.send('GET', `${this.#booted.prefix ?? ''}/webrtc/stats`)).text));
  }

  /** The value of a series, 0 when there is none. */
  async metric(series: string): Promise<number> {
    const { text } = await this.send('GET', `${this.#booted.prefix ?? ''}/metrics`);
    const line = text.split('\n').find((each) => each.startsWith(`${series} `));
    return Number(line?.slice(series.length + 1) ?? 0);
  }

  /** Ends what this row began, so that the next one finds every place free. */
  async leave(headers: Record<string, string> = {}): Promise<void> {
    for (const path of this.#sessions.splice(0)) await (await this.open('DELETE', path, { headers })).body?.cancel();
  }

  /** A path below the one that the server is mounted on. */
  #own(path: string): string {
    const { prefix = '' } = this.#booted;
    return path.startsWith(prefix) ? path.slice(prefix.length) : path;
  }

  async #joined(path: string, init: Init | undefined, { headers, text }: Reply): Promise<void> {
    const location = headers.get('location') ?? '';
    this.#sessions.push(location);
    const [, protocol, id = ''] = /\/(wh[ei]p)\/([^/]+)\/[^/]+$/.exec(location) ?? [];
    const broken = checkAnswer(
      String(init?.body),
      text,
      factsOf((await this.stats()).streams[id] ?? {}),
      protocol === 'whip' ? 'publish' : 'watch',
    );
    assert.equal(broken, [], `POST ${path}: the answer breaks rules`);
  }
}

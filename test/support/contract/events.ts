import * as assert from 'uvu/assert';
import { type Client, WATCH } from './client.ts';
import type { Row } from './row.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };

/** Server-sent events. */
export const events: Row[] = [
  {
    name: 'the 201 links to the events, POST there makes a stream, GET reads it',
    run: async (client) => {
      const { location, reply } = await client.watch();
      const rel = 'urn:ietf:params:whep:ext:core:server-sent-events';
      const link = `<${location}/events>; rel="${rel}"; events="active,inactive,viewercount,reconnect"`;
      assert.ok(reply.headers.get('link')?.includes(link), reply.headers.get('link') ?? 'no link');
      const stream = await subscribe(client, location);
      assert.ok(stream.startsWith(`${location}/events/`));
      const reader = await read(client, stream);
      assert.equal(await reader.next(), ['event: active', 'data: {}']);
      assert.equal(await reader.next(), ['event: viewercount', 'data: {"viewercount":1}']);
      await reader.cancel();
    },
  },
  {
    name: 'the number of viewers is told as it changes',
    run: async (client) => {
      const { location } = await client.watch();
      const reader = await read(client, await subscribe(client, location, '["viewercount"]'));
      assert.equal(await reader.next(), ['event: viewercount', 'data: {"viewercount":1}']);
      await client.watch();
      assert.equal(await reader.next(), ['event: viewercount', 'data: {"viewercount":2}']);
      await reader.cancel();
    },
  },
  {
    name: 'a source that falls silent and comes back is told, in what was asked for alone',
    needs: 'script',
    run: async (client) => {
      const { location } = await client.watch();
      const reader = await read(client, await subscribe(client, location, '["active", "inactive"]'));
      assert.equal(await reader.next(), ['event: active', 'data: {}']);
      for (const active of [false, true]) {
        client.engine.leg('live', 'video', active);
        client.engine.leg('live', 'audio', active);
        assert.equal(await reader.next(), [`event: ${active ? 'active' : 'inactive'}`, 'data: {}']);
      }
      await reader.cancel();
    },
  },
  {
    name: 'an unknown event name, or no list of names, is 400 and makes no stream',
    run: async (client) => {
      const { location } = await client.watch();
      for (const body of ['["active", "layers"]', '"active"', '{}', 'active', '[1]']) {
        const reply = await client.send('POST', `${location}/events`, { headers: JSON_TYPE, body });
        assert.equal([reply.status, reply.headers.get('location')], [400, null], body);
      }
      const headers = { 'Content-Type': 'text/plain' };
      assert.is((await client.send('POST', `${location}/events`, { headers, body: '[]' })).status, 415);
    },
  },
  {
    name: 'events of an unknown session, or of another one, are 404',
    run: async (client) => {
      const [one, other] = [await client.watch(), await client.watch()];
      assert.is((await client.send('POST', '/whep/live/unknown/events')).status, 404);
      const stream = await subscribe(client, one.location);
      const stolen = `${other.location}/events/${stream.split('/').at(-1)}`;
      for (const path of [stolen, `${one.location}/events/unknown`]) {
        assert.equal([(await client.send('GET', path)).status, (await client.send('DELETE', path)).status], [404, 404]);
      }
    },
  },
  {
    name: 'DELETE ends the events with 200, a later GET is 404',
    run: async (client) => {
      const { location } = await client.watch();
      const stream = await subscribe(client, location);
      const reader = await read(client, stream);
      assert.is((await client.send('DELETE', stream)).status, 200);
      await reader.end();
      assert.is((await client.send('GET', stream)).status, 404);
      assert.is((await client.send('DELETE', stream)).status, 404);
    },
  },
  {
    name: 'events end with their session',
    run: async (client) => {
      const { location } = await client.watch();
      const stream = await subscribe(client, location);
      const reader = await read(client, stream);
      await client.send('DELETE', location);
      await reader.end();
      assert.is((await client.send('GET', stream)).status, 404);
    },
  },
  {
    name: 'a second reader of the same events takes the place of the first',
    run: async (client) => {
      const { location } = await client.watch();
      const stream = await subscribe(client, location, '["active"]');
      const first = await read(client, stream);
      const second = await read(client, stream);
      await first.end();
      assert.equal(await second.next(), ['event: active', 'data: {}']);
      await second.cancel();
    },
  },
  {
    name: 'HEAD of events takes no reader its place, and OPTIONS names the methods',
    run: async (client) => {
      const { location } = await client.watch();
      const stream = await subscribe(client, location, '["viewercount"]');
      const reader = await read(client, stream);
      assert.equal(await reader.next(), ['event: viewercount', 'data: {"viewercount":1}']);
      const head = await client.send('HEAD', stream);
      assert.equal([head.status, head.headers.get('content-type')], [200, 'text/event-stream']);
      await client.watch();
      assert.equal(await reader.next(), ['event: viewercount', 'data: {"viewercount":2}']);
      await reader.cancel();
      const [maker, made] = [await client.send('OPTIONS', `${location}/events`), await client.send('OPTIONS', stream)];
      assert.equal(
        [maker.headers.get('allow'), made.headers.get('allow')],
        ['POST, OPTIONS', 'GET, DELETE, OPTIONS, HEAD'],
      );
      assert.is(maker.headers.get('accept-post'), 'application/json');
    },
  },
  {
    name: 'a list of events of 1 KiB is read, one byte more is 413',
    run: async (client) => {
      const { location } = await client.watch();
      const padded = (size: number) => `["active"${' '.repeat(size - 10)}]`;
      assert.is(padded(1024).length, 1024);
      await subscribe(client, location, padded(1024));
      const reply = await client.send('POST', `${location}/events`, { headers: JSON_TYPE, body: padded(1025) });
      assert.is(reply.status, 413);
    },
  },
  {
    name: 'a session has four event streams, a fifth is 429',
    run: async (client) => {
      const { location } = await client.watch('/whep/live', { body: WATCH });
      for (let index = 0; index < 4; index++) await subscribe(client, location);
      assert.is((await client.send('POST', `${location}/events`)).status, 429);
    },
  },
];

async function subscribe(client: Client, location: string, body?: string): Promise<string> {
  const init = body === undefined ? {} : { headers: JSON_TYPE, body };
  const reply = await client.send('POST', `${location}/events`, init);
  assert.is(reply.status, 201, reply.text);
  return reply.headers.get('location') ?? '';
}

interface Reader {
  /** The lines of the next event, comments left out. */
  next(): Promise<string[]>;
  /** Resolves once the server has ended the stream. */
  end(): Promise<void>;
  cancel(): Promise<void>;
}

async function read(client: Client, path: string): Promise<Reader> {
  const response = await client.open('GET', path);
  assert.equal([response.status, response.headers.get('content-type')], [200, 'text/event-stream']);
  if (response.body === null) throw new Error('there is no body');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    async next() {
      for (;;) {
        const end = text.indexOf('\n\n');
        if (end >= 0) {
          const lines = text.slice(0, end).split('\n');
          text = text.slice(end + 2);
          if (lines[0]?.startsWith('event:')) return lines;
          continue;
        }
        const { done, value } = await reader.read();
        if (done) throw new Error('the events ended');
        text += value;
      }
    },
    async end() {
      while (!(await reader.read()).done);
    },
    cancel: () => reader.cancel(),
  };
}

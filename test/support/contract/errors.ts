import * as assert from 'uvu/assert';
import { problemDetails } from '../../../src/http/schemas.ts';
import type { Row } from './row.ts';

const PROBLEM = 'application/problem+json';

/** How errors are told. */
export const errors: Row[] = [
  {
    name: 'an error is plain text, unless Accept ranks problem details higher',
    run: async (client) => {
      const text = [
        '*/*',
        'text/plain',
        `${PROBLEM};q=0.5, text/plain`,
        `${PROBLEM}, */*`,
        'application/sdp',
        `${PROBLEM};q=0`,
        // RFC 9110 §12.4.2: weights are from 0 to 1.
        `${PROBLEM};q=2, text/plain;q=0.5`,
        `${PROBLEM};q=1.1, text/plain;q=0.1`,
        `${PROBLEM};q=x, text/plain;q=0.1`,
      ];
      const details = [
        PROBLEM,
        `text/plain;q=0.5, ${PROBLEM}`,
        'application/*',
        `text/*;q=0.1, ${PROBLEM};q=0.2`,
        `text/plain;q=-1, ${PROBLEM};q=0.1`,
      ];
      for (const [accepts, type] of [
        [text, 'text/plain; charset=utf-8'],
        [details, PROBLEM],
      ] as const) {
        for (const accept of accepts) {
          const { headers } = await client.send('POST', '/whep/unknown', { headers: { Accept: accept } });
          assert.is(headers.get('content-type'), type, accept);
        }
      }
    },
  },
  {
    name: 'problem details have type, title, status, detail and code',
    run: async (client) => {
      const reply = await client.send('POST', '/whep/unknown', { headers: { Accept: PROBLEM } });
      assert.equal(problemDetails.strict().parse(JSON.parse(reply.text)), {
        type: 'about:blank',
        title: 'Not Found',
        status: 404,
        detail: 'webrtc: stream not found',
        code: 'stream-not-found',
      });
    },
  },
  {
    name: 'an unexpected exception is a bare 500 with CORS headers and a request id',
    needs: 'script',
    run: async (client) => {
      const facts = client.engine.facts;
      client.engine.facts = () => {
        throw new Error('segment 7 of /opt/x.rs');
      };
      const reply = await client.send('POST', '/whep/live', { headers: { Accept: PROBLEM } });
      client.engine.facts = facts;
      assert.equal([reply.status, reply.text], [500, 'internal error']);
      assert.is(reply.headers.get('access-control-allow-origin'), '*');
      assert.match(reply.headers.get('x-request-id') ?? '', /^[\w-]{22}$/);
    },
  },
  {
    name: 'a HEAD that fails has the headers of the error and no text',
    run: async (client) => {
      for (const [path, status] of [
        ['/nothing', 404],
        ['/whep', 404],
        ['/whep/live/unknown/events', 405],
      ] as const) {
        const reply = await client.send('HEAD', path);
        const type = reply.headers.get('content-type');
        assert.equal([reply.status, reply.text, type], [status, '', 'text/plain; charset=utf-8'], path);
      }
    },
  },
  {
    name: 'each response has a request id of its own',
    run: async (client) => {
      const ids = [await client.send('GET', '/healthz'), await client.send('GET', '/healthz')].map(({ headers }) =>
        headers.get('x-request-id'),
      );
      assert.is.not(ids[0], ids[1]);
    },
  },
];

import { readFileSync } from 'node:fs';
import { createServer, Failure } from 'fetch-whep';
import { serve } from 'fetch-whep/serve';

// A page encodes with WebCodecs and posts each chunk, which goes to viewers as it is. One stream for each codec.
const live = await createServer({
  streams: {
    demo: { push: { video: 'vp8' } },
    vp9: { push: { video: 'vp9' } },
    av1: { push: { video: 'av1' } },
  },
});
const script = readFileSync(new URL('push-webcodecs.js', import.meta.url), 'utf8');
const page = '<!doctype html><canvas width="640" height="360"></canvas><script type="module" src="encode.js"></script>';

const { url } = await serve({ fetch: answer }, { port: 8080 });
console.log(`encode at ${url}/encode, which takes ?stream=vp9 and ?stream=av1`);
console.log(`watch at ${url}/play/demo`);

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams, origin } = new URL(request.url);
  if (pathname === '/encode') return new Response(page, { headers: { 'Content-Type': 'text/html' } });
  if (pathname === '/encode.js') return new Response(script, { headers: { 'Content-Type': 'text/javascript' } });
  if (request.method !== 'POST' || pathname !== '/chunks') return live.fetch(request);
  // Pages of others could post too.
  if (request.headers.get('origin') !== origin) return new Response(null, { status: 403 });
  try {
    const chunk = new Uint8Array(await request.arrayBuffer());
    const taken = live.streams.push(
      searchParams.get('stream') ?? 'demo',
      'video',
      chunk,
      Number(searchParams.get('at')),
    );
    // What is behind takes nothing before the next keyframe.
    return new Response(null, { status: taken ? 204 : 503 });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return new Response(error.message, { status: 400 });
  }
}
